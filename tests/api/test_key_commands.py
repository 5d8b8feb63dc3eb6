"""`jobledger keys` as operators use it: rotation, keys that sign, and the account of both."""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.fix_command import Command

NEW = ("keys", "create", "--project", "p", "--scope", "jobs:read")


def test_rotate_and_revoke_with_their_reasons(command: Command) -> None:
    old = command.answer(*NEW, "--reason", "first day")
    new = command.answer(
        "keys", "rotate", old["key_id"], "--overlap-hours", "1", "--reason", "yearly"
    )
    assert new["key"].startswith(f"jl_{new['key_id']}_")
    assert new["replaces"] == old["key_id"]
    again = command("keys", "rotate", old["key_id"])
    assert again.returncode != 0
    assert "rotated already" in again.stderr
    command.answer("keys", "revoke", old["key_id"], "--reason", "lost")
    told = command.answer("keys", "history", "--project", "p")["acts"]
    assert [(act["act"], act["reason"]) for act in told] == [
        ("revoked", "lost"),
        ("rotated", "yearly"),
        ("created", "first day"),
    ]
    assert all(act["actor"].startswith("operator:") for act in told)
    shown = command("keys", "history").stdout
    assert old["key_id"] in shown
    assert old["key"].split("_")[2] not in shown


def test_keys_that_sign_requests(command: Command, tmp_path: Path) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    pem, raw = tmp_path / "client.pem", tmp_path / "client.b64"
    pem.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    raw.write_bytes(base64.b64encode(public.public_bytes_raw()))
    for file in (pem, raw):
        made = command.answer(*NEW, "--signed-by", "ed25519", "--public-key", str(file))
        assert (made["key"], made["secret"]) == (made["key_id"], None)
        assert made["signature"] == "ed25519"
    shared = command.answer(*NEW, "--signed-by", "hmac-sha256")
    assert len(shared["secret"]) == 43
    raw.write_bytes(b"not a key")
    for wrong in (
        ("--signed-by", "rsa"),
        ("--signed-by", "ed25519"),
        ("--signed-by", "ed25519", "--public-key", str(raw)),
        ("--signed-by", "hmac-sha256", "--signing"),
    ):
        refused = command(*NEW, *wrong)
        assert refused.returncode != 0, wrong
        assert "Traceback" not in refused.stderr
