"""Folded jobs in memory: which of them stay."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import pytest

from ledger import events, store
from ledger.folded import FoldedJobs
from ledger.job import Job, JobId
from ledger.store import Connection
from tests.histories import job_after

pytestmark = pytest.mark.anyio

IDS = tuple(UUID(int=nth) for nth in range(1, 5))


def kept(jobs_max: int) -> FoldedJobs:
    """All of them, the last one used last."""
    jobs = FoldedJobs(jobs_max)
    for job_id in IDS:
        jobs.keep(of(job_id))
    return jobs


def of(job_id: UUID) -> Job:
    return job_after(events.Queued())._replace(id=JobId(job_id))


def test_those_used_last_stay() -> None:
    jobs = kept(2)
    jobs.keep(of(IDS[0]))
    jobs.trim()
    assert list(jobs) == [IDS[3], IDS[0]]


def test_those_that_are_busy_stay_and_hold_no_others() -> None:
    jobs = kept(2)
    jobs.trim({IDS[0]})
    assert list(jobs) == [IDS[2], IDS[3], IDS[0]]
    jobs.trim()
    assert list(jobs) == [IDS[3], IDS[0]]


async def test_those_looked_at_again_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that is asked for in vain again and again stays, too."""

    async def nothing(*_: object) -> dict[UUID, Any]:
        return {}

    monkeypatch.setattr(store, "streams", nothing)
    jobs = kept(2)
    await jobs.refresh(cast("Connection", None), [IDS[1], UUID(int=9)])
    jobs.trim()
    assert list(jobs) == [IDS[3], IDS[1]]
