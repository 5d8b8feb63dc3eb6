"""`jobledger migrate`: bring the database to the schema of this version.

Invariants: forward only; many at once wait for each other; nothing to do is a success. Errors: Misconfigured."""

from __future__ import annotations

from api.commands.options import Data, DatabaseUrl, Json, command_group
from api.commands.output import say, say_json
from api.place import Where, opened
from ledger.migrate import migrate as apply

command = command_group()


@command.command()
def migrate(data: Data = None, database_url: DatabaseUrl = None, json: Json = False) -> None:
    """Bring the database to the schema of this version.

    `serve` does so by itself, and every command does on the embedded database. Run it by hand on a database of your own, before
    you start the new version there. The read models need none: they rebuild.
    """
    with opened(Where.said(data, database_url), make=True, prepare=False) as place:
        applied = apply(place.dsn)
    if json:
        say_json({"applied": applied})
    else:
        say(
            f"Applied {', '.join(applied)}."
            if applied
            else "Nothing to do: the schema is that of this version."
        )
