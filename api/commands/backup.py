"""`jobledger backup`: a copy of the running ledger.

Invariants: it may be taken at any time, and disturbs nobody. Units: positions. Errors: those of api/backup.py, and the place's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.backup import backup as copy
from api.commands.options import Data, Json, command_group
from api.commands.output import remark, say, say_json
from api.place import Where, opened

command = command_group()


@command.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is not there yet.")],
    with_secret: Annotated[
        bool,
        typer.Option("--with-secret", help="Put the secret that protects keys into it as well."),
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Copy the running ledger into a new folder.

    \b
    jobledger backup /backups/monday --data ./ledger

    Made by PostgreSQL's own pg_basebackup: exact, read models included, while the ledger serves. It holds every event that was answered
    before it began. Keep DATA/secret elsewhere, or have it copied by --with-secret: without it no key of the backup opens. The notary's
    key and memory are never copied, so that a restored copy cannot go on signing what it has forgotten. With --json: the manifest.
    """  # noqa: D301 - Typer must see the backspace itself
    with opened(Where.said(data), prepare=False) as place:
        found = copy(place, folder, with_secret=with_secret)
    if json:
        say_json(found)
        return
    say(f"{folder} holds the log up to position {found.position} at least.")
    if not with_secret:
        remark("The secret that protects keys is not in it; keep a copy of it elsewhere.")
