"""Positions: how far each read model is, and waiting until they are far enough.

Invariants: a waiter is told when every projection that it will ask has reached its position, or that time is up; nobody polls per request: one
look serves all who wait. Units: positions and lags count events, timeouts are seconds."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from ledger import settings, store
from ledger.connection import Role, conninfo
from ledger.ear import hear
from ledger.wake import Herald
from projections import PROJECTIONS
from projections.crier import CHANNEL, told


@dataclass(frozen=True, slots=True)
class Reached:
    """How far one projection is. `error` says why it stands at the event behind `position`, None while it follows."""

    name: str
    position: int
    lag: int
    error: str | None = None


# A read model that stopped before it was ever shown stands under the name of its table.
_REACHED = """
SELECT h.position, r.name, r.position, r.error, r.stopped_at
FROM ledger.head h
LEFT JOIN (
  SELECT name, position, error, stopped_at FROM projections.reached
  UNION ALL
  SELECT s.name, s.position - 1, s.error, s.position FROM projections.stopped s
  WHERE NOT EXISTS (SELECT FROM projections.live l WHERE l.application_name = s.name)
) r ON true
"""


async def positions(connection: AsyncConnection[tuple[Any, ...]]) -> dict[str, Reached]:
    """How far every projection is; one that was never built is at 0."""
    cursor = await connection.execute(_REACHED)
    found = {
        name: (head, position, error, at)
        for head, name, position, error, at in await cursor.fetchall()
    }
    head = next(iter(found.values()))[0]
    told = {}
    for projection in PROJECTIONS:
        at = found.get(projection.name) or found.get(projection.table)
        _, position, error, stopped_at = at or (head, 0, None, None)
        reason = None if error is None else f"event {stopped_at}: {error}"
        told[projection.name] = Reached(projection.name, position, max(0, head - position), reason)
    return told


class Line:
    """Who waits for the same projections, the least position first. `least` is where the slowest of them stands."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self._waiting: list[tuple[int, int, asyncio.Future[bool]]] = []
        self._order = count()
        self.least = 0

    def join(self, position: int) -> asyncio.Future[bool]:
        """What is told True when all of them are there."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (position, next(self._order), future))
        return future

    def tell(self, reached: Mapping[str, int]) -> None:
        """They have come so far."""
        self.least = min(reached[name] for name in self._names)
        while self._waiting and self._waiting[0][0] <= self.least:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(True)

    def anybody(self) -> bool:
        """Whether somebody still waits."""
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)
        return bool(self._waiting)


class Waiter:
    """Lets many callers wait for positions. Fed by the runner of this process or, with a `dsn`, by what another's folds tell; and by looking
    while somebody waits in vain. The `herald` hears how far they are, so that it need not wake them, and that somebody waits, so that they come."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]],
        dsn: str | None = None,
        herald: Herald | None = None,
    ) -> None:
        self._pool = pool
        self._herald = herald
        self._conninfo = conninfo(dsn, Role.APP) if dsn else None
        self._reached = {projection.name: 0 for projection in PROJECTIONS}
        self._now = Line(one.name for one in PROJECTIONS if not one.past)
        self._past = Line(one.name for one in PROJECTIONS)
        self._somebody = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks.append(asyncio.create_task(self._look(), name="waiter"))
        if self._conninfo is not None:
            listening = self._listen(self._conninfo)
            self._tasks.append(asyncio.create_task(listening, name="waiter's ear"))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def progressed(self, name: str, position: int) -> None:
        """A projection has reached a position. On the event loop only."""
        if self._comes(name, position):
            self._tell()

    async def is_there(self, position: int) -> bool:
        """Whether an event has this position already: to wait for one that has not would take up room for nothing."""
        if position <= self._now.least:
            return True
        async with self._pool.connection() as connection:
            return position <= await store.head(connection)

    async def reached(self, position: int, timeout_s: float, *, past: bool = False) -> bool:
        """Wait until every projection that is asked about now has reached `position`; False when it took longer than `timeout_s`.

        `past`: those too that are asked about earlier moments, which are slower and which nobody else waits for."""
        line = self._past if past else self._now
        if position <= line.least:
            return True
        if self._herald is not None:
            (self._herald.hurry if past else self._herald.awaited)()
        future = line.join(position)
        self._somebody.set()
        timer = asyncio.get_running_loop().call_later(timeout_s, _give_up, future)
        try:
            return await future
        finally:
            timer.cancel()

    async def built(self, timeout_s: float) -> bool:
        """Wait until readers see every projection, as they do for ever after its first build; False when it took longer."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while asyncio.get_running_loop().time() < deadline:
            async with self._pool.connection() as connection:
                cursor = await connection.execute("SELECT name FROM projections.live")
                if {name for (name,) in await cursor.fetchall()} >= set(self._reached):
                    return True
            await asyncio.sleep(settings.WAIT_POLL_S)
        return False

    def _comes(self, name: str, position: int) -> bool:
        """Note how far a projection is; whether that is news."""
        if self._reached.get(name, position) >= position:
            return False
        self._reached[name] = position
        return True

    def _hear(self, words: list[str]) -> None:
        # All of them before anybody is told: those of one fold come together.
        news = [self._comes(*told(one)) for one in words]
        if any(news):
            self._tell()

    def _tell(self) -> None:
        before = self._now.least
        for line in (self._now, self._past):
            line.tell(self._reached)
        if self._herald is not None and self._now.least > before:
            self._herald.followed(self._now.least)

    async def _listen(self, conninfo: str) -> None:
        """Hear what the projector of another process tells."""
        while True:
            with contextlib.suppress(psycopg.Error):
                async with await AsyncConnection.connect(conninfo, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    await hear(connection, self._hear)
            await asyncio.sleep(settings.RESTART_S_MIN)

    async def _look(self) -> None:
        """While somebody waits longer than a moment, see what other processes have folded."""
        while True:
            await self._somebody.wait()
            least = self._now.least
            await asyncio.sleep(settings.WAIT_POLL_S)
            if not [line for line in (self._now, self._past) if line.anybody()]:
                self._somebody.clear()
                continue
            if self._now.least > least and not self._past.anybody():
                continue  # they tell of themselves
            with contextlib.suppress(psycopg.Error, PoolTimeout, TooManyRequests):
                async with self._pool.connection() as connection:
                    for name, one in (await positions(connection)).items():
                        self._reached[name] = max(self._reached[name], one.position)
                self._tell()


def _give_up(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)
