"""Travel: a request that asks as of an earlier moment is led there before it is read.

Invariants: the moment becomes one position, for good, which the read models have reached before anything is asked of them. Errors: Invalid for a
moment that has not come; Behind; Busy when the database has no room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api import past
from api.faults import Behind
from api.operation import Asked
from api.refusals import refusals
from projections.past import resolve
from projections.question import Then


class Travel:
    """The way of one process's requests into the past. `reached` waits for the read models."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]],
        reached: Callable[[int], Awaitable[bool]],
    ) -> None:
        self._pool = pool
        self._reached = reached

    async def lead(self, then: Then, asked: Asked) -> None:
        """Let what is asked be asked of the moment that it names."""
        async with refusals(), self._pool.connection() as connection:
            as_of, now = await resolve(connection, asked.who.project, then)
        if not await self._reached(as_of.position):
            raise Behind(f"The read models have not reached position {as_of.position} yet.")
        past.go(asked, as_of, now)
