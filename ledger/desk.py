"""The desk: where a process decides writes, on the jobs it knows and with the numbers it has drawn.

Invariants: a refusal is given only on jobs that were read from the log after the command arrived, and only when the write's key was not
answered before; deciding changes nothing in the log. Errors: psycopg's own, and Undecodable for a job that cannot be read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger import settings, store
from ledger.commands import Key, Write
from ledger.errors import KeyReused, LedgerError
from ledger.folded import FoldedJobs
from ledger.job import Job, evolve, fold
from ledger.plan import plan
from ledger.store import Unit
from ledger.waiting import Committed, Waiting


class Desk:
    """Decides batches of writes, and remembers how the jobs were left."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], UUID],
        jobs_max: int = settings.JOBS_CACHED_MAX,
    ) -> None:
        self._now = now
        self._new_id = new_id
        self._jobs = FoldedJobs(jobs_max)
        self._numbers: deque[int] = deque()
        self._dropped = 0

    async def decide(self, connection: store.Connection, batch: Sequence[Waiting]) -> list[Waiting]:
        """Answer at once the writes that need no commit. Those left are returned, each with its unit set."""
        numbers = await self._drawn(connection, batch)
        unread = {job_id for waiting in batch for job_id in self._unread(waiting)}
        await self._jobs.refresh(connection, unread)
        doubtful = [waiting for waiting in batch if not self._decided(waiting, numbers)]
        if doubtful:
            await self._jobs.refresh(connection, {j for w in doubtful for j in w.write.job_ids})
            for waiting in doubtful:
                waiting.fresh = True
                if not self._decided(waiting, numbers):
                    await self._answer_without_commit(connection, waiting)
        self._give_back(numbers)
        return [w for w in batch if w.unit is not None and not w.settled]

    def saved(self, write: Write, unit: Unit, placed: Sequence[tuple[int, datetime]]) -> Committed:
        """The unit is in the log, its events at these positions and times."""
        recorded = tuple(
            entry.recorded(position, moment)
            for entry, (position, moment) in zip(unit.entries, placed, strict=True)
        )
        for one in recorded:
            known = None if one.version == 1 else self._jobs.get(one.job_id)
            self._jobs.keep(evolve(known, one))
        jobs = self._left(write)
        last = max((one.position for one in recorded), default=max(job.position for job in jobs))
        return Committed(jobs, last, recorded)

    def drop_numbers(self) -> None:
        """A client took a number that was drawn here: those drawn with it may be gone too."""
        self._numbers.clear()
        self._dropped += 1

    def trim(self, busy: AbstractSet[UUID]) -> None:
        """Bound what is kept of jobs; those that are busy stay, since writes were decided on them."""
        self._jobs.trim(busy)

    def _unread(self, waiting: Waiting) -> set[UUID]:
        """Jobs to read before deciding: those not kept, unless the write itself creates them under a new id."""
        if waiting.fresh:
            return set(waiting.write.job_ids)
        born: set[UUID] = set()
        unread: set[UUID] = set()
        for command in waiting.write.commands:
            if command.event.TOPIC == "job.created":
                born.add(command.job_id)
            elif command.job_id not in born and command.job_id not in self._jobs:
                unread.add(command.job_id)
        return unread

    def _decided(self, waiting: Waiting, numbers: _Drawn) -> bool:
        """Decide a write on the jobs as kept; False when it is refused or changes nothing, and so needs a second look."""
        self._jobs.touch(waiting.write.job_ids)
        waiting.unit = waiting.refusal = None
        try:
            waiting.unit = plan(
                waiting.write, self._jobs, self._now(), self._new_id, numbers.left.popleft
            )
        except LedgerError as error:
            waiting.refusal = error
            return False
        return bool(waiting.unit.entries) or (waiting.fresh and waiting.unit.key is not None)

    async def _answer_without_commit(self, connection: store.Connection, waiting: Waiting) -> None:
        """A write that is refused, or repeats what is so already: first see whether its key was answered before."""
        write, waiting.unit = waiting.write, None
        if write.key and (kept := await store.key_outcome(connection, write.key)) is not None:
            try:
                waiting.resolve(await replay(connection, write.key, *kept))
            except KeyReused as error:
                waiting.refuse(error)
        elif waiting.refusal is not None:
            waiting.refuse(waiting.refusal)
        else:
            jobs = self._left(write)
            waiting.resolve(Committed(jobs, max(job.position for job in jobs)))

    def _left(self, write: Write) -> tuple[Job, ...]:
        order = dict.fromkeys(command.job_id for command in write.commands)
        return tuple(self._jobs[job_id] for job_id in order)

    async def _drawn(self, connection: store.Connection, batch: Sequence[Waiting]) -> _Drawn:
        # Twice as many as there are creations, since a doubtful write is decided twice.
        count = 2 * sum(c.event.TOPIC == "job.created" for w in batch for c in w.write.commands)
        if len(self._numbers) < count:
            more = max(count, settings.NUMBERS_AHEAD)
            self._numbers.extend(await store.numbers(connection, more))
        return _Drawn(deque(self._numbers.popleft() for _ in range(count)), self._dropped)

    def _give_back(self, numbers: _Drawn) -> None:
        """Those that were not used, unless others of their kind were found to be taken meanwhile."""
        if numbers.dropped == self._dropped:
            self._numbers.extendleft(reversed(numbers.left))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Numbers for one batch. `dropped`: how often numbers had been thrown away when these were drawn."""

    left: deque[int]
    dropped: int


async def replayed(connection: store.Connection, key: Key | None) -> Committed | None:
    """The answer that was given under this key, None when there was none yet. Raises KeyReused."""
    if key is None or (kept := await store.key_outcome(connection, key)) is None:
        return None
    return await replay(connection, key, *kept)


async def replay(
    connection: store.Connection, key: Key, request_hash: bytes, outcome: dict[str, Any]
) -> Committed:
    """The answer that was given under this key. Raises KeyReused when it was another request."""
    if request_hash != key.request_hash:
        raise KeyReused("This Idempotency-Key was used for another request.")
    jobs = []
    for job_id, version in outcome["jobs"]:
        sight = (key.project,)
        job = fold(await store.stream_to(connection, UUID(job_id), version, sight=sight))
        assert job is not None
        jobs.append(job)
    return Committed(tuple(jobs), max(job.position for job in jobs), replayed=True)
