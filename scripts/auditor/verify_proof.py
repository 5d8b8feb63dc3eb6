"""Check the proof of a job's history: verify_proof.py PROOF KEY...

It needs Python 3.11, the library `cryptography`, and nothing of the ledger's. KEY is the log's verifier key, NAME+ID+BASE64, as its operator gave
it to you by a way that you trust; PROOF is what `jobledger prove JOB` printed. Exit code 0: every event in the file is in the log under
the signed checkpoint, from the job's first version on and without a gap. What may have come after, only a later checkpoint can show."""

import base64
import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Wrong(Exception):
    """The proof does not hold."""


def sha256(*parts: bytes) -> bytes:
    """The hash of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def checkpoint(note: str, vkeys: list[str]) -> tuple[str, int, bytes]:
    """Origin, size and root of a signed note (C2SP signed-note, tlog-checkpoint)."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    signed = False
    for vkey in vkeys:
        name, key_id, encoded = vkey.split("+", 2)
        key = base64.b64decode(encoded, validate=True)
        if key[:1] != b"\x01" or sha256(name.encode(), b"\n", key)[:4].hex() != key_id:
            raise Wrong(f"{vkey} is no Ed25519 verifier key")
        for line in signatures.splitlines():
            dash, signer, stamp = line.split(" ")
            stamped = base64.b64decode(stamp, validate=True)
            if (dash, signer, stamped[:4].hex()) == ("—", name, key_id):
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(stamped[4:], text.encode())
                signed = True
    if not signed:
        raise Wrong("the checkpoint is not signed by a key that you gave")
    origin, size, root, *_ = text.split("\n")
    return origin, int(size), base64.b64decode(root, validate=True)


def time(text: str | None) -> bytes:
    """A time: microseconds since the year 2000, in 8 bytes behind a 1; a 0 for none."""
    if text is None:
        return b"\x00"
    since = datetime.fromisoformat(text) - datetime(2000, 1, 1, tzinfo=UTC)
    return b"\x01" + (since // timedelta(microseconds=1)).to_bytes(8, "big", signed=True)


def words(text: str | None) -> bytes:
    """A text: its length in 4 bytes, then UTF-8."""
    if text is None:
        return b"\xff\xff\xff\xff"
    return len(text.encode()).to_bytes(4, "big") + text.encode()


def leaf_hash(event: dict[str, Any]) -> bytes:
    """The leaf of an event as RFC 6962 hashes it."""
    columns = sha256(
        bytes.fromhex(event["blind"]),
        UUID(event["event_id"]).bytes,
        UUID(event["job_id"]).bytes,
        event["version"].to_bytes(8, "big"),
        time(event["occurred_at"]),
        time(event["recorded_at"]),
        words(event["project"]),
        words(event["topic"]),
        words(event["credential_id"]),
    )
    body = bytes.fromhex(event.get("body_hash", ""))
    if not event.get("erased"):
        body = sha256(bytes.fromhex(event["salt"]), event["body"].encode())
    linked = sha256(columns, bytes.fromhex(event["previous"]))
    return sha256(b"\x00\x01", event["position"].to_bytes(8, "big"), linked, body)


def root(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2)."""
    last = size - 1
    for sibling in proof:
        if last == 0:
            raise Wrong("the inclusion proof is too long")
        if index % 2 or index == last:
            leaf = sha256(b"\x01", sibling, leaf)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            leaf = sha256(b"\x01", leaf, sibling)
        index, last = index // 2, last // 2
    if last:
        raise Wrong("the inclusion proof is too short")
    return leaf


def check(document: dict[str, Any], vkeys: list[str]) -> str:
    """Hold the proof against the keys; what it proves, in a sentence."""
    if document["format"] != "jobledger-proof/1":
        raise Wrong("the format is unknown")
    origin, size, signed = checkpoint(document["checkpoint"], vkeys)
    before = bytes(32)
    for version, event in enumerate(document["events"], start=1):
        named = (event["version"], event["job_id"], event["project"])
        if named != (version, document["job"], document["project"]):
            raise Wrong(f"version {version} of the job is missing")
        if bytes.fromhex(event["previous"]) != before:
            raise Wrong(f"version {version} does not follow the one before")
        index, before = event["position"] - 1, leaf_hash(event)
        if not 0 <= index < size:
            raise Wrong(f"version {version} is not under the checkpoint")
        proof = [base64.b64decode(one, validate=True) for one in event["proof"]]
        if root(before, index, size, proof) != signed:
            raise Wrong(f"version {version} is not what was signed")
    if not document["events"]:
        raise Wrong("there is no event in the proof")
    return f"{len(document['events'])} events of job {document['job']} are in the log {origin} of {size} events"


def main(arguments: list[str]) -> int:
    """The command line."""
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:  # noqa: PTH123 - one import less
            print("proved:", check(json.load(file), arguments[1:]))
    except (Wrong, InvalidSignature, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"NOT PROVED: {error!r}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
