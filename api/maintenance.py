"""Maintenance: what an operator has switched off for a while.

Invariants: one row says it for every process of the ledger; a process learns of it within MAINTENANCE_STALE_S_MAX, and nobody waits for it
while requests come in; as long as the database is away, what was known holds, and once it has said nothing for so long, nothing is let in.
Units: seconds. Errors: Maintenance, Busy."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import psycopg
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from api.faults import Maintenance
from api.operation import Scope
from ledger import settings, sql
from ledger.errors import Busy
from ledger.store import Connection

SQL = sql.load(__file__)

Refused: TypeAlias = Literal["nothing", "writes", "all"]
_READING = frozenset({Scope.JOBS_READ, Scope.AUDIT_READ})


@dataclass(frozen=True, slots=True)
class State:
    """What is refused, when callers should come back, and since when it is so; None: as nobody has looked yet."""

    refused: Refused = "nothing"
    retry_after_s: int = settings.MAINTENANCE_RETRY_AFTER_S
    since: datetime | None = None

    def refuses(self, scope: Scope) -> bool:
        """Whether an operation of this scope has to wait. Public ones never have to."""
        if self.refused == "nothing" or scope is Scope.PUBLIC:
            return False
        return self.refused == "all" or scope not in _READING


class Switch:
    """Maintenance as one process knows it. `clock` counts seconds and never runs backwards."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Connection],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._known = State()
        self._read_at_s = -math.inf
        self._reading: asyncio.Task[State] | None = None

    async def check(self, scope: Scope) -> None:
        """Raise Maintenance when an operation of this scope has to wait, Busy when nobody says so in time."""
        fresh = self._clock() - self._read_at_s < settings.MAINTENANCE_CACHE_S
        state = self._known if fresh else await self._state()
        if state.refuses(scope):
            what = "Writes are" if state.refused == "writes" else "The ledger is"
            raise Maintenance(
                f"{what} switched off for maintenance.", retry_after_s=state.retry_after_s
            )

    async def _state(self) -> State:
        age_s = self._clock() - self._read_at_s
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="read maintenance")
            self._reading.add_done_callback(self._forget)
        # What is a little old will do until the answer is there; whoever comes after a long silence waits for it.
        if age_s < settings.MAINTENANCE_STALE_S_MAX:
            return self._known
        try:
            async with asyncio.timeout(settings.POOL_ACQUIRE_TIMEOUT_S):
                return await asyncio.shield(self._reading)
        except TimeoutError as error:
            raise Busy("The database does not answer.") from error

    async def _read(self) -> State:
        asked_at_s = self._clock()
        try:
            async with (
                self._pool.connection() as connection,
                connection.cursor(row_factory=class_row(State)) as cursor,
            ):
                await cursor.execute(SQL["state"], prepare=True)
                self._known = await cursor.fetchone() or State()
        except (psycopg.OperationalError, psycopg.InterfaceError):
            # The request itself will say that the database is away; asking at each one would only make it wait.
            pass
        self._read_at_s = asked_at_s
        return self._known

    def _forget(self, task: asyncio.Task[State]) -> None:
        self._reading = None
        if not task.cancelled():
            task.exception()  # whoever waits gets it; where nobody does, it is read again


def state(connection: psycopg.Connection[Any]) -> State:
    """What is refused now."""
    with connection.cursor(row_factory=class_row(State)) as cursor:
        return cursor.execute(SQL["state"]).fetchone() or State()


def switch(connection: psycopg.Connection[Any], refused: Refused, retry_after_s: int) -> State:
    """Refuse this from now on."""
    values = {"refused": refused, "retry_after_s": retry_after_s}
    with connection.cursor(row_factory=class_row(State)) as cursor:
        found = cursor.execute(SQL["switch"], values).fetchone()
    assert found is not None, "the migration wrote the row"
    return found
