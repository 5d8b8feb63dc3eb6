"""`jobledger hold`: legal holds, which forbid to erase.

Invariants: a hold overrides every erasure and every retention rule until it is released; who placed and released it is kept. Errors: the holds'."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from api import erasing
from api.commands.options import (
    By,
    Data,
    DatabaseUrl,
    Json,
    OneProject,
    Project,
    Why,
    command_group,
)
from api.commands.output import say_fields, say_json, say_table
from api.place import Where, opened
from ledger import holds
from ledger.connection import Role
from ledger.holds import Hold, Kind

command = command_group(
    "Forbid to erase, for a time.\n\nA hold overrides `erase` and `retention` until it is released; it is never deleted."
)


@command.command()
def place(
    project: Project,
    by: By,
    reason: Why,
    everything: Annotated[bool, typer.Option("--all", help="Hold the whole project.")] = False,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Hold the jobs of a type.")
    ] = None,
    job: Annotated[UUID | None, typer.Option("--job", metavar="ID", help="Hold one job.")] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            "--subject", metavar="VALUE", help="Hold every job in whose events this stands."
        ),
    ] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Forbid to erase what one of --all, --type, --job or --subject says.

    \b
    jobledger hold place --data ./ledger -p demo --subject ann@example.org --by counsel --reason "case 7"

    With --json: the hold. The same hold a second time is answered as it stands.
    """  # noqa: D301 - Typer must see the backspace itself
    said = [
        *([(Kind.PROJECT, "")] if everything else []),
        *([(Kind.TYPE, type_)] if type_ is not None else []),
        *([(Kind.JOB, str(job))] if job is not None else []),
        *([(Kind.SUBJECT, subject)] if subject is not None else []),
    ]
    if len(said) != 1:
        raise typer.BadParameter(
            "Say exactly one of --all, --type, --job and --subject.", param_hint="--all"
        )
    with (
        opened(Where.said(data, database_url)) as there,
        erasing.connection(there, Role.ERASER) as connection,
    ):
        _say(holds.place(connection, project, *said[0], by=by, reason=reason), json=json)


@command.command()
def release(
    hold_id: Annotated[UUID, typer.Argument(metavar="HOLD", help="As `hold list` shows it.")],
    by: By,
    reason: Why,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """End a hold: what it covered may be erased again."""
    with (
        opened(Where.said(data, database_url)) as there,
        erasing.connection(there, Role.ERASER) as connection,
    ):
        _say(holds.release(connection, hold_id, by=by, reason=reason), json=json)


@command.command("list")
def list_holds(
    project: OneProject = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """List holds, released ones too: by project, then by age."""
    with (
        opened(Where.said(data, database_url)) as there,
        erasing.connection(there, Role.AUDITOR) as connection,
    ):
        found = [asdict(one) for one in holds.listed(connection, project)]
    if json:
        say_json({"holds": found})
        return
    columns = (
        "hold_id",
        "project",
        "kind",
        "value",
        "reason",
        "placed_by",
        "placed_at",
        "released_by",
        "released_at",
    )
    say_table(columns, ([one[column] for column in columns] for one in found))


def _say(hold: Hold, *, json: bool) -> None:
    if json:
        say_json(asdict(hold))
        return
    say_fields([(name, found) for name, found in asdict(hold).items() if found is not None])
