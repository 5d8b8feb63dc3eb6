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
from ledger.events import Created, Recorded
from ledger.folded import FoldedJobs
from ledger.job import Job, evolve, fold
from ledger.plan import plan
from ledger.store import Appended, Unit
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

    def decide_known(self, batch: Sequence[Waiting]) -> tuple[list[Waiting], list[Waiting]]:
        """Decide writes on what is kept here, as nearly all can be: those that have their unit, and those before which the log must be read."""
        decided: list[Waiting] = []
        left: list[Waiting] = []
        now, new_number = self._now(), self._numbers.popleft
        for waiting in batch:
            try:
                known = self._knows(waiting) and self._decided(waiting, new_number, now)
            except Exception:  # noqa: BLE001 - one that cannot even be decided harms no other; `decide` finds out what is the matter
                known = False
            (decided if known else left).append(waiting)
        return decided, left

    async def decide(self, connection: store.Connection, batch: Sequence[Waiting]) -> list[Waiting]:
        """Decide writes on the log as it is now. Those that need no commit are answered at once, the others are returned, each with its unit."""
        created = sum(type(c.event) is Created for w in batch for c in w.write.commands)
        numbers = await self._drawn(connection, created)
        await self._jobs.refresh(connection, {j for w in batch for j in w.job_ids})
        now, new_number = self._now(), numbers.left.popleft
        for waiting in batch:
            waiting.fresh = True
            if not self._decided(waiting, new_number, now):
                await self._answer_without_commit(connection, waiting)
        self._give_back(numbers)
        return [w for w in batch if w.unit is not None and not w.settled]

    def saved(self, write: Write, unit: Unit, at: Appended) -> Committed:
        """The unit is in the log, its events from this position on."""
        position, moment = at
        recorded: list[Recorded] = []
        job: Job | None = None
        for entry in unit.entries:
            one = entry.recorded(position, moment)
            job = evolve(None if one.version == 1 else self._jobs.get(one.job_id), one)
            self._jobs.keep(job)
            recorded.append(one)
            position += 1
        jobs = (job,) if job and len(write.commands) == 1 else self._left(write)
        last = position - 1 if recorded else max(job.position for job in jobs)
        return Committed(jobs, last, tuple(recorded))

    def drop_numbers(self) -> None:
        """A client took a number that was drawn here: those drawn with it may be gone too."""
        self._numbers.clear()
        self._dropped += 1

    def trim(self, busy: AbstractSet[UUID]) -> None:
        """Bound what is kept of jobs; those that are busy stay, since writes were decided on them."""
        self._jobs.trim(busy)

    def _knows(self, waiting: Waiting) -> bool:
        """Whether a write can be decided without the log: its jobs are kept or its own creations, and there are as many numbers as it may take."""
        if waiting.fresh:
            return False
        commands = waiting.write.commands
        if len(commands) == 1:  # as nearly all have
            (job_id, event, *_) = commands[0]
            return bool(self._numbers) if type(event) is Created else job_id in self._jobs
        born: set[UUID] = set()
        for job_id, event, *_ in commands:
            if type(event) is Created:
                born.add(job_id)
            elif job_id not in self._jobs and job_id not in born:
                return False
        return len(self._numbers) >= len(born)

    def _decided(self, waiting: Waiting, new_number: Callable[[], int], now: datetime) -> bool:
        """Decide a write on the jobs as kept; False when it is refused or changes nothing, which only the log can tell."""
        waiting.unit = waiting.refusal = None
        try:
            unit = plan(waiting.write, self._jobs, now, self._new_id, new_number)
        except LedgerError as error:
            waiting.refusal = error
            return False
        waiting.unit = unit
        return bool(unit.entries) or (waiting.fresh and unit.key is not None)

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

    async def _drawn(self, connection: store.Connection, count: int) -> _Drawn:
        # As many as there are creations will do, since one that has a number takes none, and only that number may be passed by.
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
