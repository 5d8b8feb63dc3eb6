"""`jobledger keys`: issue, list and revoke API keys.

Invariants: a key is printed once, by the command that issues it, and nowhere else. Errors: the ledger's own, as sentences."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api import keys
from api.commands.options import Data, DatabaseUrl, Json, Project, command_group
from api.commands.output import remark, say_fields, say_json, say_table
from api.keys import StoredKey
from api.operation import Scope
from api.place import Where, opened
from ledger.settings import KEY_DAYS_MAX

SCOPES = {scope.value: scope for scope in Scope if scope is not Scope.PUBLIC}

command = command_group(
    "Issue, list and revoke API keys.\n\nA key belongs to one project and may do what its scopes say: "
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


@command.command()
def create(
    project: Project,
    scope: Scopes,
    signing: Signing = False,
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

    With --json: {"key", "key_id", "secret", ...}. Send `key` as Authorization: Bearer KEY. With --signing, `key` and `secret` are the
    api_key and the shared secret of GoGrid's clients, who may only read, and `bearer` is the same credential as a Bearer key.
    """  # noqa: D301 - Typer must see the backspace itself
    scopes = [_scope(word) for word in scope]
    with opened(Where.said(data, database_url), make=True) as place, place.keeper() as connection:
        issued = keys.create(
            connection,
            place.secret(),
            project=project,
            scopes=scopes,
            name=name,
            expires_in_days=expires_in_days,
            signing=signing,
        )
    stored = issued.stored
    answer = {
        "key": stored.key_id if signing else issued.key,
        "key_id": stored.key_id,
        "secret": issued.shared_secret,
        **({"bearer": issued.key} if signing else {}),
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
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """End a key: running servers refuse it within 5 seconds. A second time changes nothing."""
    with opened(Where.said(data, database_url)) as place, place.keeper() as connection:
        stored = keys.revoke(connection, key_id)
    if json:
        say_json(_shown(stored))
        return
    say_fields(
        [("key_id", stored.key_id), ("name", stored.name), ("revoked_at", stored.revoked_at)]
    )


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
        "created_at": stored.created_at,
        "expires_at": stored.expires_at,
        "revoked_at": stored.revoked_at,
    }
