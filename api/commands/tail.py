"""`jobledger tail`: follow the log.

Invariants: events come in order of position, each once, also over a pause of the log; a signal ends it as a success. Units: positions count
events. Errors: the place's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Annotated

import typer

from api.commands.options import Data, DatabaseUrl, Json, command_group
from api.commands.output import moment, say, say_ndjson
from api.dialects.native import view
from api.ending import Ending
from api.place import Connection, Where, opened
from ledger import store
from ledger.events import Recorded
from ledger.settings import FEED_LIMIT_MAX, FOLLOW_POLL_S

command = command_group()

_SHOWN_BEFORE = (
    10  # events from before now that give a reader something to start with, as tail(1) does
)


@command.command()
def tail(
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Only this project's events.")
    ] = None,
    after: Annotated[
        int | None,
        typer.Option(min=0, help="Begin behind this position; else with the last few events."),
    ] = None,
    start: Annotated[
        int | None,
        typer.Option("--from", min=1, help="Begin with this position; as --after, but with it."),
    ] = None,
    follow: Annotated[
        bool, typer.Option(help="Go on as events are recorded, until Ctrl-C.")
    ] = True,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Follow the log: print events as they are recorded.

    \b
    jobledger tail --data ./ledger --project demo
    jobledger tail --data ./ledger --from 1 --no-follow --json > log.ndjson

    With --json a line is an event as GET /v1/projects/PROJECT/events has it. `position` is where to go on: --after POSITION.
    """  # noqa: D301 - Typer must see the backspace itself
    if start is not None:
        if after is not None:
            raise typer.BadParameter("Give --from or --after, not both.", param_hint="--from")
        after = start - 1
    with Ending() as ending, opened(Where.said(data, database_url), ending=ending) as place:

        async def print_on(connection: Connection) -> None:
            async for found in _batches(connection, ending, project, after, follow=follow):
                _say(found, json=json)

        with ending.patient():
            place.asked(print_on)
            ending.asked = None


async def _batches(
    connection: Connection, ending: Ending, project: str | None, after: int | None, *, follow: bool
) -> AsyncIterator[Sequence[Recorded]]:
    """The log behind a position, as it grows, until a signal asks to end."""
    enough, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop() -> None:
        loop.call_soon_threadsafe(enough.set)

    ending.then = stop
    position = max(0, await store.head(connection) - _SHOWN_BEFORE) if after is None else after
    while ending.asked is None:
        found = await store.read_after(connection, position, FEED_LIMIT_MAX, project=project)
        if found:
            yield found
            position = found[-1].position
        elif not follow:
            return
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), FOLLOW_POLL_S)


def _say(found: Sequence[Recorded], *, json: bool) -> None:
    if json:
        say_ndjson(view.event(one) for one in found)
        return
    for one in found:
        say(_line(one))


def _line(one: Recorded) -> str:
    note = f"  {one.note}" if one.note else ""
    when = moment(one.at or one.recorded_at)
    return f"{one.position:>8}  {when}  {one.project}  {one.job_id}  {one.topic:<18}  {one.actor}{note}"
