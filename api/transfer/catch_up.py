"""Catching up: fold what is new in the log into the read models, by this process when no server does it.

Invariants: whoever holds a read model's lock folds it, so it does no harm beside a running server; a read model that has stopped is not waited for.
Units: positions count events, seconds. Errors: psycopg's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from api.place import Connection, Place
from ledger import settings
from projections.position import Reached, positions
from projections.runner import Runner


def catch_up(
    place: Place, position: int, progress: Callable[[int], None] = lambda reached: None
) -> Mapping[str, Reached]:
    """Wait until the read models have reached a position, or one has stopped, or none moves any more: how far they are.

    `progress` is told of the least of their positions."""
    with ExitStack() as working:

        def work() -> None:
            runner = Runner(place.dsn)
            runner.start()
            working.callback(runner.stop)

        return place.asked(lambda connection: _reached(connection, position, progress, work))


async def _reached(
    connection: Connection,
    position: int,
    progress: Callable[[int], None],
    work: Callable[[], None],
) -> Mapping[str, Reached]:
    before, moved = -1, time.monotonic()
    while True:
        found = await positions(connection)
        cursor = await connection.execute("SELECT name FROM projections.live")
        built = {name for (name,) in await cursor.fetchall()}
        behind = [
            one.position
            for one in found.values()
            if one.error is None and (one.position < position or one.name not in built)
        ]
        if not behind:
            return found
        if before < 0:
            work()
        progress(min(behind))
        if sum(behind) != before:
            before, moved = sum(behind), time.monotonic()
        elif time.monotonic() - moved > settings.CATCH_UP_STILL_S:
            return found
        await asyncio.sleep(settings.WAIT_POLL_S)
