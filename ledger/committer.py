"""The committer: many callers, one commit at a time, and the next one decided meanwhile, and sent behind it where it is large enough.

Invariants: whatever arrives while a commit is under way is of the next batches, without a timer; writes to one job are decided one after the other,
each on what became of those before it; a write before which the log must be read, as one that is refused, keeps nobody waiting but those of its
jobs; every caller learns the outcome of its own write, or that it is unknown; nobody waits long behind a commit that does not end; a caller
that gives up does not take its write back. Errors: LedgerErrors; Busy when too many writes wait, or for too long."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
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
from ledger.flight import Flight
from ledger.pace import Pace
from ledger.queue import Queue
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
        self._queue = Queue()
        self._pace = Pace()
        # Handed out of the queue: those before which the log must be read, the first of which it is read for, and those that may set out.
        self._unread: list[Waiting] = []
        self._decided: list[Waiting] = []
        # One at the database, and perhaps one behind it.
        self._flights: deque[Flight] = deque()
        self._landed: Flight | None = None
        # Whether nothing is sent, and whatever is decided may set out at once.
        self._idle = False
        self._rest: asyncio.Future[None] | None = None
        # Whether `_decide` will look at the queue in the loop's next turn.
        self._looks = False
        self._keys: set[tuple[str, str]] = set()
        self._task: asyncio.Task[None] | None = None
        self._tasks = asyncio.TaskGroup()
        self._closing = False
        # Whether a commit is under way for so long that none is begun behind it.
        self._stuck = False
        self._watching: asyncio.TimerHandle
        self._loop: asyncio.AbstractEventLoop
        # Nobody's: what is decided for many is not logged as any one caller's.
        self._context = copy_context()

    async def __aenter__(self) -> Self:
        await self._writer.open()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="committer")
        self._watch_later()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit what is waiting, then stop."""
        self._closing = True
        self._rouse()
        if self._task is not None:
            await asyncio.shield(self._task)
        self._watching.cancel()
        await self._writer.close()

    @property
    def position(self) -> int:
        """The last position that this process saw saved."""
        return self._writer.position

    @property
    def waiting(self) -> int:
        """Writes that wait for a commit."""
        return len(self._queue) + len(self._unread) + len(self._decided)

    async def commit(self, write: Write) -> Committed:
        """Save a write and return its outcome."""
        if self._closing:
            raise Busy("The ledger is being stopped.")
        if self.waiting >= self._waiting_max:
            raise Busy("The ledger has as many writes waiting as it accepts.")
        key = (write.key.project, write.key.key) if write.key else None
        if key in self._keys:
            raise KeyInFlight("A request with this Idempotency-Key is still under way.")
        if self._stuck:
            raise _held_up()
        future: asyncio.Future[Committed] = self._loop.create_future()
        waiting = Waiting(write, future)
        if key:
            self._keys.add(key)
            waiting.then = partial(self._keys.discard, key)
        self._queue.add(waiting)
        self._look()
        return await future

    async def _run(self) -> None:
        try:
            async with self._tasks:
                await self._commit()
        finally:
            # Only when the loop itself is torn down: nobody is left waiting for an answer that cannot come.
            flights = filter(None, (self._landed, *self._flights))
            sent = [one for flight in flights for one in flight.planned]
            left = (*sent, *self._decided, *self._unread, *self._queue.drain())
            refuse_all(left, Unreachable("The ledger was stopped."))

    @property
    def _over(self) -> bool:
        sent = self._flights or self._landed is not None
        return self._closing and not self.waiting and not sent

    def _watch_later(self) -> None:
        self._watching = self._loop.call_later(settings.FOLLOW_POLL_S, self._watch)

    def _watch(self) -> None:
        """A commit may take for ever, as where PostgreSQL waits for a standby. Of what was not sent it is known that nothing is saved, and its
        callers are told so, also those who come meanwhile."""
        self._watch_later()
        self._stuck = self._pace.under_way_s > settings.LOCK_TIMEOUT_S
        if self._stuck:
            decided, self._decided = self._decided, []
            for waiting in (*decided, *self._queue.drain()):
                waiting.refuse(_held_up())
            self._queue.release(decided)
            self._queue.ahead(self._unread)

    def _look(self) -> None:
        """Have what has arrived decided in the loop's next turn, with all that arrives in this one."""
        if not self._looks:
            self._looks = True
            self._loop.call_soon(self._decide, context=self._context)

    def _decide(self) -> None:
        """Decide what arrived, some at a time, so that a commit sets out with the first of many. No task of its own: a lonely caller waits for
        each turn of the loop, and nearly all can be decided at once."""
        self._looks = False
        ready = self._queue.ready
        share = self._pace.share(ready)
        batch = self._queue.take(share)
        if not batch:
            return
        decided, left = self._writer.decide_known(batch)
        if left and not self._unread:
            self._tasks.create_task(self._read(), name="read")
        self._unread += left
        self._take_on(decided, first=share < ready)

    async def _read(self) -> None:
        """Decide what the log must be read for, and together what came meanwhile, until there is none."""
        while self._unread:
            batch = tuple(self._unread)
            decided = await self._writer.decide(batch)
            del self._unread[: len(batch)]
            if settled := [one for one in batch if one.settled]:
                self._queue.release(settled)
                self._queue.ahead([*self._decided, *decided, *self._unread])
            self._take_on(decided)

    def _take_on(self, decided: list[Waiting], *, first: bool = False) -> None:
        """These are decided. `first`: of many who wait."""
        self._decided += decided
        self._rouse()
        if self._idle or (first and not self._flights) or self._follows:
            # Without another turn of the loop: a lonely caller waits for each. And the first of many do not wait for the last,
            # or callers who were once told together would come back together for ever.
            self._depart()
        if self._queue.ready:
            self._look()

    def _rouse(self) -> None:
        """There is something to send, or sent, or nothing more to come."""
        if self._rest is not None and not self._rest.done():
            self._rest.set_result(None)

    async def _commit(self) -> None:
        """Send what is decided, and tell the callers of the commit before while the database is at it."""
        while not self._over:
            if self._flights:
                await self._land()
            else:
                self._depart()
            if not self._flights and not self._decided and not self._over:
                self._idle = True
                self._rest = self._loop.create_future()
                await self._rest
                self._idle = False

    async def _land(self) -> None:
        """Wait for the first commit that is under way, tell its callers, and let them come back."""
        before = self._flights[0]
        answers = await self._writer.land(before)
        self._pace.landed(len(before.planned))
        self._stuck = False
        self._landed = self._flights.popleft()
        if not self._flights and len(before.planned) + len(self._decided) >= self._pace.together:
            self._depart()
        again = await self._writer.settle(before, answers)
        self._queue.release(before.planned, again)
        self._writer.trim(self._queue.busy)
        if len(before.planned) > 1 or self.waiting:
            self._look()
            await self._return()
        self._landed = None
        if self._follows:
            self._depart()

    @property
    def _follows(self) -> bool:
        """Whether what is decided sets out behind the one commit under way, so that the database need not wait for us: enough writes for a
        part of their own, once all who were told have had their turn to come back."""
        return (
            len(self._flights) == 1
            and self._landed is None
            and not self._queue.ready
            and self._pace.behind(len(self._decided))
        )

    def _depart(self) -> None:
        if self._decided:
            self._queue.ahead(self._unread)
            self._flights.append(self._writer.depart(self._decided))
            self._pace.departed()
            self._decided, self._idle = [], False

    async def _return(self) -> None:
        """Let the callers who were told just now come back with their next writes, and have them decided."""
        for _ in range(3):
            if len(self._flights) < 2:
                await asyncio.sleep(0)


def _held_up() -> Busy:
    """What those are told who would wait behind a commit that takes too long."""
    patience_s = settings.LOCK_TIMEOUT_S
    sentence = f"The database has been busy with one commit for more than {patience_s:g} s."
    return Busy(sentence, retry_after_s=5)
