"""Eight processes fight over the same jobs: exactly one wins each race, and the others are told what the job has become."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from uuid import UUID, uuid4

import pytest

from ledger import events
from ledger.commands import Command
from ledger.committer import Committed, Committer
from ledger.decide import decide
from ledger.errors import Busy, Conflict, IllegalTransition
from ledger.events import Recorded
from ledger.job import Job, evolve
from tests.writes import batch, creation, read_log, write

pytestmark = pytest.mark.anyio

RACERS = 8


@pytest.fixture
async def racers(database: str) -> AsyncIterator[list[Committer]]:
    """Several views of one ledger: each has a connection and a memory of its own, as processes have."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Committer(database)) for _ in range(RACERS)]


async def jobs_for(committer: Committer, count: int) -> list[UUID]:
    ids = [uuid4() for _ in range(count)]
    await committer.commit(batch(*((job_id, creation()) for job_id in ids)))
    return ids


def assert_legal(log: list[Recorded]) -> None:
    """Each event was allowed when it was recorded, versions are dense, positions are."""
    jobs: dict[UUID, Job] = {}
    for position, recorded in enumerate(log, start=1):
        job = jobs.get(recorded.job_id)
        command = Command(recorded.job_id, recorded.event, recorded.envelope)
        assert decide(job, command, recorded.recorded_at) == (recorded.event,)
        assert (recorded.position, recorded.version) == (position, job.version + 1 if job else 1)
        jobs[recorded.job_id] = evolve(job, recorded)


async def test_one_of_eight_starts_a_job(racers: list[Committer], database: str) -> None:
    ids = await jobs_for(racers[0], 600)
    asked = [racer.commit(write(job_id, events.Started())) for job_id in ids for racer in racers]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    for nth, job_id in enumerate(ids):
        of_job = outcomes[nth * RACERS : (nth + 1) * RACERS]
        (winner,) = [one for one in of_job if isinstance(one, Committed)]
        assert [(job.id, job.version) for job in winner.jobs] == [(job_id, 2)]
        told = [(e.version, e.state) for e in of_job if isinstance(e, IllegalTransition)]
        assert told == [(2, "Processing")] * (RACERS - 1)
    log = await read_log(database)
    assert len(log) == 2 * len(ids)
    assert_legal(log)


async def test_one_of_eight_gets_the_version_it_asked_for(
    racers: list[Committer], database: str
) -> None:
    ids = await jobs_for(racers[0], 50)
    noted = [write(job_id, events.Noted(), if_version=1) for job_id in ids]
    asked = [racer.commit(one) for one in noted for racer in racers]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    for start in range(0, len(outcomes), RACERS):
        of_job = outcomes[start : start + RACERS]
        assert sum(isinstance(one, Committed) for one in of_job) == 1
        told = [error.version for error in of_job if isinstance(error, Conflict)]
        assert told == [2] * (RACERS - 1)
    assert len(await read_log(database)) == 2 * len(ids)


async def test_what_ends_a_job_ends_it_for_all(racers: list[Committer], database: str) -> None:
    """Each racer drives every job to another end; whatever came first holds, and the log is legal throughout."""
    ids = await jobs_for(racers[0], 60)
    ends = (events.Succeeded(), events.Canceled(), events.Failed(), events.Failed(final=False))

    async def drive(racer: Committer, nth: int) -> None:
        for job_id in ids:
            for event in (events.Queued(), events.Started(), ends[nth % len(ends)]):
                with suppress(IllegalTransition):
                    await racer.commit(write(job_id, event))

    await asyncio.gather(*(drive(racer, nth) for nth, racer in enumerate(racers)))
    assert_legal(await read_log(database))


async def test_batches_over_the_same_jobs_are_whole(racers: list[Committer], database: str) -> None:
    """Each batch takes ten jobs in an order of its own: all of them, or none."""
    ids = await jobs_for(racers[0], 10)
    asked = []
    for nth, racer in enumerate(racers):
        for round_ in range(10):
            turned = ids[(nth + round_) % 10 :] + ids[: (nth + round_) % 10]
            asked.append(racer.commit(batch(*((job_id, events.Noted()) for job_id in turned))))
    saved, _ = told(await asyncio.gather(*asked, return_exceptions=True))
    log = await read_log(database)
    assert_legal(log)
    assert len(log) == 10 + 10 * saved
    for start in range(10, len(log), 10):
        assert {recorded.job_id for recorded in log[start : start + 10]} == set(ids)


async def test_notes_that_all_may_leave(racers: list[Committer], database: str) -> None:
    """Nobody is told that the job changed, since that is no reason here; at worst one is told to come again."""
    (job_id,) = await jobs_for(racers[0], 1)
    asked = [racer.commit(write(job_id, events.Noted())) for _ in range(25) for racer in racers]
    saved, busy = told(await asyncio.gather(*asked, return_exceptions=True))
    assert len(await read_log(database)) == 1 + saved
    assert busy < saved


def told(outcomes: Sequence[Committed | BaseException]) -> tuple[int, int]:
    """How many were saved, and how many told that the ledger is busy: there is nothing else."""
    saved = sum(isinstance(one, Committed) for one in outcomes)
    busy = [one for one in outcomes if isinstance(one, Busy)]
    assert saved + len(busy) == len(outcomes)
    assert all(one.changed is False for one in busy)
    return saved, len(busy)
