"""`jobledger rebuild`: read models made anew from the log.

Invariants: the old ones are served until the new ones are whole and equal. Units: progress counts events. Errors: the projections' own."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.commands.options import Data, DatabaseUrl, Json, command_group
from api.commands.output import say, say_json
from api.commands.progress import bar
from api.place import Where, opened
from api.transfer.catch_up import catch_up
from ledger import store
from projections import PROJECTIONS
from projections.rebuild import rebuild as make_anew

command = command_group()

NAMES = tuple(projection.name for projection in PROJECTIONS)

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", help=f"One of {', '.join(NAMES)}; else all, one after another."
    ),
]


@command.command()
def rebuild(
    name: Name = None, data: Data = None, database_url: DatabaseUrl = None, json: Json = False
) -> None:
    """Make read models anew from the log, while the old ones are served.

    The new tables are built beside the old, compared with them row for row, then put in their place in one step; readers notice
    nothing. A difference is told: somebody changed a read model by hand, or a fold had a fault; the log is right. With --json:
    {"rebuilt": [{"name", "position", "rows", "different", "keys"}]}.
    """
    if name is not None and name not in NAMES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(NAMES)}.", param_hint="NAME")
    answers = []
    with opened(Where.said(data, database_url)) as place:
        # What is compared must stand at the end of the log, and be there at all.
        catch_up(place, place.asked(store.head))
        for one in NAMES if name is None else (name,):
            with bar(one) as progress:
                compared = {"name": one, **make_anew(place.dsn, one, progress)}
            answers.append(compared)
            if not json:
                say(_told(compared))
    if json:
        say_json({"rebuilt": answers})


def _told(compared: dict[str, Any]) -> str:
    rows = f"{compared['name']}: {compared['rows']} rows at position {compared['position']}"
    if not compared["different"]:
        return f"{rows}, equal to those that were served."
    keys = "; ".join(" ".join(key) for key in compared["keys"])
    return f"{rows}; {compared['different']} were served otherwise and now are as the log has them: {keys}"
