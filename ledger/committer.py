"""The committer: many callers, one commit at a time, and the next one decided meanwhile.

Invariants: whatever arrives while a commit is under way is the next batch, without a timer; writes to one job are decided one after the other,
each on what became of those before it; every caller learns the outcome of its own write, or that it is unknown; a caller that gives up does
not take its write back. Errors: LedgerErrors; Busy when too many writes wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Self
from uuid import UUID

from uuid_utils.compat import uuid7

from ledger import settings
from ledger.commands import Write
from ledger.connection import Role, conninfo
from ledger.desk import Desk
from ledger.errors import Busy, KeyInFlight, Unreachable
from ledger.pace import Pace
from ledger.queue import Queue
from ledger.waiting import Committed, Waiting, refuse_all
from ledger.writer import Flight, Writer

__all__ = ["Committed", "Committer"]


class Committer:
    """Group commit for one process. `on_commit(position)` is called after each commit, on the event loop."""

    def __init__(
        self,
        dsn: str,
        *,
        on_commit: Callable[[int], None] = lambda position: None,
        waiting_max: int = settings.COMMIT_WAITING_MAX,
        jobs_max: int = settings.JOBS_CACHED_MAX,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], UUID] = uuid7,
    ) -> None:
        desk = Desk(now=now, new_id=new_id, jobs_max=jobs_max)
        self._writer = Writer(conninfo(dsn, Role.APP), desk, on_commit=on_commit)
        self._waiting_max = waiting_max
        self._queue = Queue()
        self._pace = Pace()
        self._deciding: list[Waiting] = []
        self._decided: list[Waiting] = []
        self._flight: Flight | None = None
        self._landed: Flight | None = None
        # Whether nothing is sent, and whatever is decided may set out at once.
        self._idle = False
        self._keys: set[tuple[str, str]] = set()
        self._arrived = asyncio.Event()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        await self._writer.open()
        self._task = asyncio.create_task(self._run(), name="committer")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit what is waiting, then stop."""
        self._closing = True
        self._arrived.set()
        self._ready.set()
        if self._task is not None:
            await asyncio.shield(self._task)
        await self._writer.close()

    @property
    def position(self) -> int:
        """The last position that this process saw saved."""
        return self._writer.position

    @property
    def waiting(self) -> int:
        """Writes that wait for a commit."""
        return len(self._queue) + len(self._deciding) + len(self._decided)

    async def commit(self, write: Write) -> Committed:
        """Save a write and return its outcome."""
        if self._closing:
            raise Busy("The ledger is being stopped.")
        if self.waiting >= self._waiting_max:
            raise Busy("The ledger has as many writes waiting as it accepts.")
        key = (write.key.project, write.key.key) if write.key else None
        if key in self._keys:
            raise KeyInFlight("A request with this Idempotency-Key is still under way.")
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        waiting = Waiting(write, future)
        if key:
            self._keys.add(key)
            waiting.then = partial(self._keys.discard, key)
        self._queue.add(waiting)
        self._arrived.set()
        return await future

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._decide(), name="decide")
                both.create_task(self._commit(), name="commit")
        finally:
            # Only when the loop itself is torn down: nobody is left waiting for an answer that cannot come.
            sent = [
                one for flight in (self._landed, self._flight) if flight for one in flight.planned
            ]
            left = (*sent, *self._decided, *self._deciding, *self._queue.drain())
            refuse_all(left, Unreachable("The ledger was stopped."))

    @property
    def _over(self) -> bool:
        sent = self._flight is not None or self._landed is not None
        return self._closing and not self.waiting and not sent

    async def _decide(self) -> None:
        """Decide what arrives, some at a time, so that a commit sets out with the first of many."""
        while not self._over:
            ready = self._queue.ready
            share = self._pace.share(ready)
            self._deciding = self._queue.take(share)
            if not self._deciding:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            decided = await self._writer.decide(self._deciding)
            settled = [one for one in self._deciding if one.settled]
            self._deciding = []
            self._decided += decided
            if settled:
                self._queue.release(settled)
                self._queue.ahead(self._decided)
            if self._idle or (share < ready and self._flight is None):
                # Without another turn of the loop: a lonely caller waits for each. And the first of many do not wait for the last,
                # or callers who were once told together would come back together for ever.
                self._depart()
            self._ready.set()
            await asyncio.sleep(0)
        self._ready.set()

    async def _commit(self) -> None:
        """Send what is decided, and tell the callers of the commit before while the database is at it."""
        while not self._over:
            before = self._flight
            if before is None:
                self._depart()
            else:
                answers = await self._writer.land(before)
                self._pace.landed(len(before.planned))
                self._flight, self._landed = None, before
                if len(before.planned) + len(self._decided) >= self._pace.together:
                    self._depart()
                again = await self._writer.settle(before, answers)
                self._queue.release(before.planned, again)
                self._landed = None
                self._writer.trim(self._queue.busy)
                if len(before.planned) > 1 or self.waiting:
                    self._arrived.set()
                    await self._return()
            if self._flight is None and not self._decided and not self._over:
                self._ready.clear()
                self._idle = True
                await self._ready.wait()
                self._idle = False
        self._arrived.set()

    def _depart(self) -> None:
        if self._decided:
            self._queue.ahead(self._deciding)
            self._flight = self._writer.depart(self._decided)
            self._pace.departed()
            self._decided, self._idle = [], False

    async def _return(self) -> None:
        """Let the callers who were told just now come back with their next writes, and have them decided."""
        for _ in range(3):
            if self._flight is None:
                await asyncio.sleep(0)
