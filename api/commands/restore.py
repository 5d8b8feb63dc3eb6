"""`jobledger restore`: a ledger made out of a backup, verified before it can be served.

Invariants: a folder that holds a ledger is refused; what is not verified is not put in place. Units: positions. Errors: those of
api/backup.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.backup import restore as bring_back
from api.commands.options import Data, Json, command_group
from api.commands.output import remark, say, say_json
from api.place import Where

command = command_group()


@command.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `jobledger backup` made.")],
    set_back: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Go on with a backup that is older than what was signed: why, in one line that is signed and kept.",
        ),
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a ledger out of a backup, verified before anybody can serve it.

    \b
    jobledger restore /backups/monday --data ./ledger

    PostgreSQL's pg_verifybackup checks every file; then every event is held against the hash that the backup took, positions are counted,
    and all that `jobledger verify` knows is checked. Put the notary's folder in its place first: a backup that is older than what was
    signed is then refused, since its log must not go on as if nothing were missing, unless --set-back says why: another log
    begins, as by `jobledger checkpoint renew`. With --json: {"position", "backed_up", "digest", "undone", "origin"}.
    """  # noqa: D301 - Typer must see the backspace itself
    told = bring_back(folder, Where.said(data), set_back=set_back)
    if json:
        say_json(told)
        return
    say(f"The log is there up to position {told['position']}, and is what was backed up.")
    if told["origin"] is not None:
        remark(f"It was set back: from now on it is signed as {told['origin']}.")
    for reason in told["undone"]:
        remark(f"Not checked: {reason}")
