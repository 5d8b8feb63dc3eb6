"""Questions about batches: one that is handed in, and what became of the items of one.

Invariants: parsed and immutable, and of one project, as every question is. Units: `after` and `next` are indices of items from 0."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ledger.batches import NewBatch, Result
from ledger.commands import Write
from ledger.job import Job
from ledger.past import AsOf


@dataclass(frozen=True, slots=True)
class Submission:
    """Items to be applied later, and the write that creates their job; both are saved, or neither is."""

    batch: NewBatch
    write: Write


@dataclass(frozen=True, slots=True)
class Results:
    """What became of a batch's items behind the one at `after`: those that failed, or the others."""

    project: str
    job_id: UUID
    failed: bool
    after: int = -1
    as_of: AsOf | None = None


@dataclass(frozen=True, slots=True)
class BatchPage:
    """The batch's job, None when there is none; a page of results, None when none are kept; how many there are in all; where the next page begins."""

    job: Job | None
    results: tuple[Result, ...] | None = None
    total: int = 0
    next: int | None = None
    shared: str | None = None
