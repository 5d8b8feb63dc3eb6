"""A flight: decided writes on their way to the log together, in one commit.

Invariants: what was sent once may be saved, until an answer says that it is not. Units: seconds. Errors: psycopg's own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.pq.abc import PGresult

from ledger.store import Unit
from ledger.waiting import Waiting
from ledger.wire import Wire


@dataclass(eq=False, slots=True)
class Flight:
    """Decided writes on their way to the log together.

    `answer`: what comes back of the try that was sent last, on `wire`. `sent`: there was one. `uncertain`: one may have been saved without our
    knowing."""

    planned: Sequence[Waiting]
    units: list[Unit]
    batch: bytes
    answer: asyncio.Future[PGresult] | None = None
    wire: Wire | None = None
    sent: bool = False
    uncertain: bool = False

    def send(self, wire: Wire) -> None:
        """Send it, perhaps once more."""
        self.sent, self.wire = True, wire
        self.answer = wire.send(self.batch)

    async def landed(self, by_s: float | None) -> PGresult:
        """What comes back of the last try. `by_s`: when on the loop's clock a server that has said nothing is given up; None where its line sees to
        that. Raises psycopg's own."""
        assert self.wire is not None
        assert self.answer is not None
        answer, self.answer = self.answer, None
        if by_s is None:
            return await answer
        try:
            async with asyncio.timeout_at(by_s):
                return await answer
        except TimeoutError:
            self.wire.lose()
            raise psycopg.OperationalError("no answer came in time") from None
