"""`jobledger replay`: the log folded up to a position, beside the live read models, and compared with them.

Invariants: nothing that anybody reads is changed, and nothing is left behind. Units: positions count events, rates are events in a second.
Errors: the projections' own; Invalid for a position that the log has not reached."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from api.checks import verdict
from api.commands.options import Data, DatabaseUrl, Json, command_group
from api.commands.output import say, say_json
from api.commands.progress import bar
from api.place import Where, opened
from api.transfer.catch_up import catch_up
from ledger import store
from ledger.errors import Invalid
from projections import PROJECTIONS
from projections.rebuild import compare

command = command_group()


@command.command()
def replay(
    to: Annotated[
        int | None,
        typer.Option("--to", min=0, metavar="POSITION", help="Fold no further; else to the end."),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option("--project", "-p", metavar="PROJECT", help="Compare only its rows."),
    ] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Fold the log up to a position beside the live read models, and compare.

    \b
    jobledger replay --data ./ledger --to 120000 --project demo

    Each read model is made from the first event on, in a scratch table that is dropped afterwards, with its rate and the time left on a terminal.
    At the end of the log every row must be the same; at an earlier position, whatever the live read models still say of it. A row that is
    not is named, and the exit code is 1. With --json: {"good", "replayed": [{"name", "position", "rows", "different", "keys", "events_per_s"}]}.
    """  # noqa: D301 - Typer must see the backspace itself
    answers: list[dict[str, Any]] = []
    with opened(Where.said(data, database_url)) as place:
        head = place.asked(store.head)
        if to is not None and to > head:
            raise Invalid(f"The log ends at position {head}, before {to}.", field="to")
        catch_up(place, head)
        for projection in PROJECTIONS:
            began = time.perf_counter()
            with bar(projection.name) as progress:
                found = compare(place.dsn, projection.name, progress, to=to, project=project)
            rate = round(found.position / (time.perf_counter() - began))
            told = verdict(projection.name, found)
            answers.append({**told.shown, "events_per_s": rate})
            if not json:
                say(f"{told.told} ({rate} events/s)")
                for fault in told.faults:
                    say(f"  {fault}")
    good = not any(one["different"] for one in answers)
    if json:
        say_json({"good": good, "replayed": answers})
    if not good:
        raise typer.Exit(1)
