"""`jobledger dsn`: how other programs reach the running database.

Invariants: nothing is started, and nothing but the connection string goes to stdout. Errors: NotRunning."""

from __future__ import annotations

import typer

from api.commands.options import Data, DatabaseUrl, command_group
from api.place import Where, running_dsn

command = command_group()


@command.command()
def dsn(data: Data = None, database_url: DatabaseUrl = None) -> None:
    """Print the connection string of the running database, for psql and other tools.

    \b
    psql "$(jobledger dsn --data ./ledger)" -c 'SELECT * FROM ledger.events ORDER BY position DESC LIMIT 5'

    It is the owner's: what it writes into the log's tables by hand is refused by a trigger, and so it should stay.
    """  # noqa: D301 - Typer must see the backspace itself
    typer.echo(running_dsn(Where.said(data, database_url)))
