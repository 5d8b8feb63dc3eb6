"""`jobledger keys`: issue, list, rotate and revoke API keys, and show what was done to them.

Invariants: a key is printed once, by the command that issues it, and nowhere else. Errors: the ledger's own, as sentences."""

from __future__ import annotations

import base64
import getpass
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from api import keys
from api.commands.options import Data, DatabaseUrl, Json, Project, command_group
from api.commands.output import remark, say_fields, say_json, say_table
from api.keys import By, Issued, Signature, StoredKey
from api.operation import Scope
from api.place import Where, opened
from ledger.settings import KEY_DAYS_MAX, KEY_OVERLAP_HOURS

ALGORITHMS: Mapping[str, Signature] = {"hmac-sha256": "hmac-sha256", "ed25519": "ed25519"}
SCOPES = {scope.value: scope for scope in Scope if scope is not Scope.PUBLIC}

command = command_group(
    "Issue, list, rotate and revoke API keys.\n\nA key belongs to one project and may do what its scopes say: "
    f"{', '.join(SCOPES)}. It works while `serve` runs and while it does not."
)


Scopes = Annotated[
    list[str],
    typer.Option(
        "--scope", metavar="SCOPE", help=f"What it may do, repeatable: {', '.join(SCOPES)}."
    ),
]
Signing = Annotated[
    bool,
    typer.Option(
        "--signing",
        help="Also give it an api_key and a shared secret for GoGrid's signed requests.",
    ),
]
Name = Annotated[
    str | None, typer.Option(help="The actor of what it writes; else made from the key's id.")
]
Days = Annotated[
    float | None,
    typer.Option(
        "--expires-in-days",
        metavar="DAYS",
        max=KEY_DAYS_MAX,
        help="It ends by itself after so many days.",
    ),
]


SignedBy = Annotated[
    str | None,
    typer.Option(
        "--signed-by",
        metavar="ALGORITHM",
        help=f"Its requests are signed as RFC 9421 has it, by {' or '.join(ALGORITHMS)}, and it cannot be sent whole.",
    ),
]
PublicKey = Annotated[
    Path | None,
    typer.Option(
        help="The client's Ed25519 public key: PEM, or 32 bytes in base64.", metavar="FILE"
    ),
]
Reason = Annotated[str | None, typer.Option(help="Why, for the account of what was done to keys.")]


@command.command()
def create(
    project: Project,
    scope: Scopes,
    signing: Signing = False,
    signed_by: SignedBy = None,
    public_key: PublicKey = None,
    reason: Reason = None,
    name: Name = None,
    expires_in_days: Days = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Issue a key, and print it: this once, since the ledger keeps only a keyed hash of it.

    \b
    jobledger keys create --data ./ledger --project demo --scope jobs:read --scope jobs:write --name importer
    jobledger keys create --data ./ledger --project demo --scope jobs:read --signing
    jobledger keys create --data ./ledger --project demo --scope jobs:write --signed-by ed25519 --public-key client.pem

    With --json: {"key", "key_id", "secret", ...}. Send `key` as Authorization: Bearer KEY. With --signing, `key` and `secret` are the
    api_key and the shared secret of GoGrid's clients, who may only read, and `bearer` is the same credential as a Bearer key.
    """  # noqa: D301 - Typer must see the backspace itself
    scopes = [_scope(word) for word in scope]
    if signing and signed_by:
        raise typer.BadParameter("Either --signing or --signed-by.", param_hint="--signed-by")
    with opened(Where.said(data, database_url), make=True) as place, place.keeper() as connection:
        issued = keys.create(
            connection,
            place.secret(),
            project=project,
            scopes=scopes,
            name=name,
            expires_in_days=expires_in_days,
            signature="md5" if signing else _algorithm(signed_by),
            public_key=_public(public_key),
            by=_by(reason),
        )
    _say_issued(issued, json=json)


@command.command()
def rotate(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `keys list` shows it.")],
    overlap_hours: Annotated[
        float, typer.Option(metavar="HOURS", help="How long both are good.")
    ] = KEY_OVERLAP_HOURS,
    expires_in_days: Days = None,
    public_key: PublicKey = None,
    reason: Reason = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Issue a key like this one, and let this one end after a while: until then both are good, so that no client stops.

    \b
    jobledger keys rotate 0123456789abcdef --data ./ledger --overlap-hours 24 --reason "yearly"
    """  # noqa: D301 - Typer must see the backspace itself
    with opened(Where.said(data, database_url)) as place, place.keeper() as connection:
        issued = keys.rotate(
            connection,
            place.secret(),
            key_id,
            overlap_hours=overlap_hours,
            expires_in_days=expires_in_days,
            public_key=_public(public_key),
            by=_by(reason),
        )
    _say_issued(issued, json=json)


def _say_issued(issued: Issued, *, json: bool) -> None:
    stored = issued.stored
    md5 = stored.signature == "md5"
    answer = {
        "key": issued.key if stored.signature is None else stored.key_id,
        "key_id": stored.key_id,
        "secret": issued.shared_secret,
        **({"bearer": issued.key} if md5 else {}),
        **{
            name: found
            for name, found in _shown(stored).items()
            if name not in ("key_id", "revoked_at")
        },
    }
    if json:
        say_json(answer)
        return
    say_fields([(name, found) for name, found in answer.items() if found is not None])
    remark("Keep it now: it cannot be shown again.")


@command.command("list")
def list_keys(
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Only this project's.")
    ] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """List keys, without their secrets: by project, then by age."""
    with opened(Where.said(data, database_url)) as place, place.keeper() as connection:
        rows = [_shown(stored) for stored in keys.listed(connection, project=project)]
    if json:
        say_json({"keys": rows})
        return
    columns = (
        "key_id",
        "project",
        "name",
        "scopes",
        "signing",
        "created_at",
        "expires_at",
        "revoked_at",
    )
    say_table(columns, ([row[column] for column in columns] for row in rows))


@command.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `keys list` shows it.")],
    reason: Reason = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """End a key: running servers refuse it within 5 seconds. A second time changes nothing."""
    with opened(Where.said(data, database_url)) as place, place.keeper() as connection:
        stored = keys.revoke(connection, key_id, _by(reason))
    if json:
        say_json(_shown(stored))
        return
    say_fields(
        [("key_id", stored.key_id), ("name", stored.name), ("revoked_at", stored.revoked_at)]
    )


@command.command()
def history(
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Only this project's.")
    ] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Show who issued, rotated and revoked which key, when and why: the newest first. Nobody can change this account."""
    with opened(Where.said(data, database_url)) as place, place.keeper() as connection:
        rows = keys.acts(connection, project=project)
    if json:
        say_json({"acts": list(rows)})
        return
    columns = ("at", "act", "key_id", "project", "actor", "reason")
    say_table(columns, ([row[column] for column in columns] for row in rows))


def _by(reason: str | None) -> By:
    """Whoever runs the command: his name on this machine, since he proved nothing else."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return By(f"operator:{user}", reason)


def _algorithm(word: str | None) -> Signature | None:
    if word is not None and word not in ALGORITHMS:
        raise typer.BadParameter(f"It is one of {', '.join(ALGORITHMS)}.", param_hint="--signed-by")
    return ALGORITHMS[word] if word else None


def _public(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        text = file.read_bytes()
        if b"-----BEGIN" not in text:
            return base64.b64decode(text.strip(), validate=True)
        key = load_pem_public_key(text)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(
            f"It cannot be read: {error}.", param_hint="--public-key"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise typer.BadParameter("It is no Ed25519 key.", param_hint="--public-key")
    return key.public_bytes_raw()


def _scope(word: str) -> Scope:
    if word not in SCOPES:
        raise typer.BadParameter(f"{word!r} is none of {', '.join(SCOPES)}.", param_hint="--scope")
    return SCOPES[word]


def _shown(stored: StoredKey) -> dict[str, Any]:
    return {
        "key_id": stored.key_id,
        "project": stored.project,
        "name": stored.name,
        "scopes": stored.scopes,
        "signing": stored.signing,
        "signature": stored.signature,
        "replaces": stored.replaces,
        "created_at": stored.created_at,
        "expires_at": stored.expires_at,
        "revoked_at": stored.revoked_at,
    }
