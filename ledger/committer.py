"""The committer: many callers, one commit at a time.

Invariants: whatever arrives while a commit is under way is the next batch, without a timer; one write per job in a batch; every caller
learns the outcome of its own write, or that it is unknown; a caller that gives up does not take its write back. Errors: LedgerErrors;
Busy when too many writes wait."""

from __future__ import annotations

import asyncio
from collections import deque
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
from ledger.waiting import Committed, Waiting, refuse_all
from ledger.writer import Writer

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
        self._waiting: deque[Waiting] = deque()
        self._keys: set[tuple[str, str]] = set()
        self._arrived = asyncio.Event()
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
        return len(self._waiting)

    async def commit(self, write: Write) -> Committed:
        """Save a write and return its outcome."""
        if self._closing:
            raise Busy("The ledger is being stopped.")
        if len(self._waiting) >= self._waiting_max:
            raise Busy("The ledger has as many writes waiting as it accepts.")
        key = (write.key.project, write.key.key) if write.key else None
        if key in self._keys:
            raise KeyInFlight("A request with this Idempotency-Key is still under way.")
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        waiting = Waiting(write, future)
        if key:
            self._keys.add(key)
            waiting.then = partial(self._keys.discard, key)
        self._waiting.append(waiting)
        self._arrived.set()
        return await future

    async def _run(self) -> None:
        batch: list[Waiting] = []
        try:
            while True:
                if self._waiting:
                    batch = self._take()
                    again = await self._writer.commit(batch)
                    self._waiting.extendleft(reversed(again))
                elif self._closing:
                    return
                else:
                    self._arrived.clear()
                    await self._arrived.wait()
        finally:
            # Only when the loop itself is torn down: nobody is left waiting for an answer that cannot come.
            refuse_all([*batch, *self._waiting], Unreachable("The ledger was stopped."))

    def _take(self) -> list[Waiting]:
        """The next batch: in order of arrival, one write per job, bounded in writes, events and bytes."""
        batch: list[Waiting] = []
        later: list[Waiting] = []
        touched: set[UUID] = set()
        events = size_bytes = 0
        while self._waiting and len(batch) < settings.COMMIT_UNITS_MAX:
            waiting = self._waiting.popleft()
            job_ids = waiting.write.job_ids
            if touched.isdisjoint(job_ids):
                events += len(waiting.write.commands)
                size_bytes += waiting.write.size_bytes
                if batch and (
                    events > settings.COMMIT_EVENTS_MAX or size_bytes > settings.COMMIT_BYTES_MAX
                ):
                    later.append(waiting)
                    break
                batch.append(waiting)
            else:
                later.append(waiting)
            touched |= job_ids
        self._waiting.extendleft(reversed(later))
        return batch
