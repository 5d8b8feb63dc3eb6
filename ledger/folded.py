"""Folded jobs kept in memory, so that most appends load nothing.

Invariants: a kept job equals the fold of its events up to its version; it may be behind the log when another process appends, which the
append's version check finds out; after `trim` at most `jobs_max` are kept beside those that are busy, the least recently used went first. Nothing is
dropped in between, so that a write keeps the jobs it was decided on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from itertools import islice
from uuid import UUID

from ledger import settings, store
from ledger.events import Erased
from ledger.job import Job, fold


class FoldedJobs(OrderedDict[UUID, Job]):
    """Jobs by id, least recently used first."""

    def __init__(self, jobs_max: int = settings.JOBS_CACHED_MAX) -> None:
        super().__init__()
        self._jobs_max = jobs_max

    def keep(self, job: Job) -> None:
        """Remember a job's newest fold, as the one used last."""
        self[job.id] = job
        self.move_to_end(job.id)

    def trim(self, busy: AbstractSet[UUID] = frozenset()) -> None:
        """Drop what is beyond the limit, but for the jobs that are busy."""
        for job_id in list(islice(self, max(0, len(self) - self._jobs_max))):
            if job_id in busy:
                self.move_to_end(job_id)
            else:
                del self[job_id]

    async def refresh(self, connection: store.Connection, job_ids: Iterable[UUID]) -> None:
        """Bring these jobs up to the log's end in one query: kept ones from their version on, others from the start."""
        after = {job_id: self[job_id].version if job_id in self else 0 for job_id in job_ids}
        if not after:
            return
        histories = await store.streams(connection, after)
        erased = [
            job_id
            for job_id, history in histories.items()
            if after[job_id] and any(isinstance(one.event, Erased) for one in history)
        ]
        for job_id in erased:
            # What is kept remembers values that the log has forgotten.
            del self[job_id]
        if erased:
            histories |= await store.streams(connection, dict.fromkeys(erased, 0))
        for job_id in after:
            # What has not changed since is kept anew too, since it is used.
            job = fold(histories.get(job_id, ()), self.get(job_id))
            if job is not None:
                self.keep(job)
