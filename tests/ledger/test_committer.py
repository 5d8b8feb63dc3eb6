"""The committer among its callers: batches, limits, numbers, caches, neighbours that are broken, and its end."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from ledger import events, settings
from ledger.committer import Committed, Committer
from ledger.errors import (
    Busy,
    Conflict,
    IllegalTransition,
    UnknownJob,
)
from ledger.job import Job, State, fold
from ledger.pace import Pace
from tests.histories import ANN
from tests.writes import (
    appends_wait,
    batch,
    creation,
    held,
    keyed,
    read_log,
    until,
    write,
)

pytestmark = pytest.mark.anyio


async def folded(dsn: str) -> dict[UUID, Job]:
    """Every job, folded from the log."""
    log = await read_log(dsn)
    jobs = {
        job_id: fold([r for r in log if r.job_id == job_id]) for job_id in {r.job_id for r in log}
    }
    return {job_id: job for job_id, job in jobs.items() if job is not None}


async def test_a_job_and_what_becomes_of_it(database: str) -> None:
    job_id = uuid4()
    positions: list[int] = []
    async with Committer(database, on_commit=positions.append) as committer:
        made = await committer.commit(write(job_id, creation(detail={"a": 1}), events.Queued()))
        assert [job.state for job in made.jobs] == [State.QUEUED]
        assert (made.position, made.replayed) == (2, False)
        assert [recorded.position for recorded in made.recorded] == [1, 2]
        done = await committer.commit(write(job_id, events.Started(), events.Succeeded()))
        assert committer.position == 4
    assert positions == [2, 4]
    assert {job_id: done.jobs[0]} == await folded(database)
    assert made.recorded + done.recorded == tuple(await read_log(database))


async def test_what_arrives_during_a_commit_is_one_commit(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "together", 1_000)  # by parts: test_committer_behind.py
    commits: list[int] = []
    async with Committer(database, on_commit=commits.append) as committer:
        async with held(database) as holder:
            writes = [asyncio.create_task(committer.commit(write(uuid4(), creation())))]
            await appends_wait(holder)
            writes += [
                asyncio.create_task(committer.commit(write(uuid4(), creation())))
                for _ in range(100)
            ]
            await until(lambda: len(committer._decided) == 100)
        saved = await asyncio.gather(*writes)
    assert commits == [1, 101]
    assert sorted(one.position for one in saved) == list(range(1, 102))
    assert len({one.recorded[0].recorded_at for one in saved}) == 2


async def test_writes_to_one_job_keep_the_order_in_which_they_came(database: str) -> None:
    job_id = uuid4()
    async with Committer(database) as committer:
        await committer.commit(write(job_id, creation()))
        said = [ANN._replace(note=str(nth)) for nth in range(50)]
        await asyncio.gather(
            *(committer.commit(write(job_id, events.Noted(), envelope=one)) for one in said)
        )
    assert [r.note for r in await read_log(database)][1:] == [one.note for one in said]


async def test_too_many_writes_are_turned_away_and_the_others_saved(database: str) -> None:
    async with Committer(database, waiting_max=4) as committer:
        async with held(database) as holder:
            saved = [asyncio.create_task(committer.commit(write(uuid4(), creation())))]
            await appends_wait(holder)
            saved += [
                asyncio.create_task(committer.commit(write(uuid4(), creation()))) for _ in range(4)
            ]
            await until(lambda: committer.waiting == 4)
            with pytest.raises(Busy) as refusal:
                await committer.commit(write(uuid4(), creation()))
            assert (refusal.value.changed, refusal.value.retry_after_s) == (False, 1)
        await asyncio.gather(*saved)
    assert len(await read_log(database)) == 5


async def test_a_batch_is_bounded_in_writes_events_and_bytes(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "COMMIT_UNITS_MAX", 7)
    monkeypatch.setattr(settings, "COMMIT_EVENTS_MAX", 10)
    monkeypatch.setattr(settings, "COMMIT_BYTES_MAX", 100)
    commits: list[int] = []
    async with Committer(database, on_commit=commits.append) as committer:
        async with held(database) as holder:
            first = asyncio.create_task(committer.commit(write(uuid4(), creation())))
            await appends_wait(holder)
            small = [write(uuid4(), creation()) for _ in range(8)]
            wide = [write(uuid4(), creation(), *[events.Noted()] * n) for n in (5, 5, 20)]
            heavy = [write(uuid4(), creation())._replace(size_bytes=n) for n in (60, 60, 900)]
            rest = [asyncio.create_task(committer.commit(w)) for w in (*small, *wide, *heavy)]
            await until(lambda: committer.waiting == len(rest))
        await asyncio.gather(first, *rest)
    # 1; 7 small; 1 small and 6 events; 6 events; 21 events; 60 bytes; 60 bytes; 900 bytes.
    assert commits == [1, 8, 15, 21, 42, 43, 44, 45]


async def test_a_caller_who_gives_up_does_not_undo(database: str) -> None:
    async with Committer(database) as committer:
        async with held(database) as holder:
            in_flight = asyncio.create_task(committer.commit(write(uuid4(), creation(1))))
            await appends_wait(holder)
            queued = asyncio.create_task(committer.commit(write(uuid4(), creation(2))))
            await until(lambda: committer.waiting == 1)
            for task in (in_flight, queued):
                task.cancel()
            outcomes = await asyncio.gather(in_flight, queued, return_exceptions=True)
            assert [type(one) for one in outcomes] == [asyncio.CancelledError] * 2
        await committer.commit(write(uuid4(), creation(3)))
    assert len(await read_log(database)) == 3


async def test_closing_saves_what_waits_and_takes_nothing_new(database: str) -> None:
    committer = await Committer(database).__aenter__()
    async with held(database) as holder:
        writes = [asyncio.create_task(committer.commit(write(uuid4(), creation())))]
        await appends_wait(holder)
        writes += [
            asyncio.create_task(committer.commit(write(uuid4(), creation()))) for _ in range(9)
        ]
        await until(lambda: committer.waiting == 9)
        closing = asyncio.create_task(committer.__aexit__())
        await until(lambda: committer._closing)
        with pytest.raises(Busy, match="stopped"):
            await committer.commit(write(uuid4(), creation()))
        assert not closing.done()
    await closing
    assert all(isinstance(saved, Committed) for saved in await asyncio.gather(*writes))
    assert len(await read_log(database)) == 10


async def test_a_job_of_another_project_is_unknown(database: str) -> None:
    job_id = uuid4()
    theirs = ANN._replace(project="theirs")
    async with Committer(database) as committer, Committer(database) as cold:
        await committer.commit(write(job_id, creation()))
        for one in (committer, cold):
            sentences = set()
            for asked in (job_id, uuid4()):
                with pytest.raises(UnknownJob) as refusal:
                    await one.commit(write(asked, events.Queued(), envelope=theirs))
                sentences.add(str(refusal.value).replace(str(asked), "?"))
            assert len(sentences) == 1
    assert len(await read_log(database)) == 1


async def test_if_version(database: str) -> None:
    job_id = uuid4()
    async with Committer(database) as committer, Committer(database) as other:
        await committer.commit(write(job_id, creation()))
        await other.commit(write(job_id, events.Queued()))
        # What `committer` keeps of the job is a version behind.
        with pytest.raises(Conflict) as refusal:
            await committer.commit(write(job_id, events.Started(), if_version=1))
        assert refusal.value.version == 2
        saved = await committer.commit(write(job_id, events.Started(), if_version=2))
        assert saved.jobs[0].version == 3


async def test_what_one_process_keeps_is_never_believed_against_the_log(database: str) -> None:
    job_id = uuid4()
    async with Committer(database) as one, Committer(database) as other:
        await one.commit(write(job_id, creation()))
        await other.commit(write(job_id, events.Queued()))
        # Decided on the job as it was created, which would allow it once more.
        with pytest.raises(IllegalTransition) as refusal:
            await one.commit(write(job_id, events.Queued()))
        assert (refusal.value.version, refusal.value.state) == (2, "Queued")
        await one.commit(write(job_id, events.Started()))
        # Refused on the job as queued, but the log allows it.
        saved = await other.commit(write(job_id, events.Succeeded()))
        assert saved.jobs[0].version == 4
        again = await one.commit(write(job_id, events.Succeeded()))
        assert (again.recorded, again.position, again.jobs) == ((), 4, saved.jobs)
    assert len(await read_log(database)) == 4


async def test_a_cache_of_two_jobs_serves_a_load_on_many(database: str) -> None:
    life = [events.Queued(), events.Started(), events.Noted(), events.Succeeded()]
    async with Committer(database, jobs_max=2) as committer:

        async def live(job_id: UUID) -> Committed:
            await committer.commit(write(job_id, creation(), key=keyed()))
            for event in life[:-1]:
                await committer.commit(write(job_id, event))
            return await committer.commit(write(job_id, life[-1]))

        ids = [uuid4() for _ in range(60)]
        lives = await asyncio.gather(*map(live, ids))
        both = [(job_id, events.Noted()) for job_id in ids]
        noted = await committer.commit(batch(*both))
        assert len(committer._writer._desk._jobs) <= 2
    jobs = await folded(database)
    assert {job.id: job for job in noted.jobs} == jobs
    assert {job.version for job in jobs.values()} == {6}
    assert all(saved.jobs[0].state is State.SUCCEEDED for saved in lives)


async def test_a_job_of_ten_thousand_events_still_takes_one(database: str) -> None:
    job_id = uuid4()
    async with Committer(database) as committer:
        await committer.commit(write(job_id, creation(), events.Started()))
        notes = [(job_id, events.Progressed(progress=nth / 5_000)) for nth in range(5_000)]
        for half in range(2):
            await committer.commit(batch(*notes, key=keyed(f"half {half}")))
    async with Committer(database) as cold:
        saved = await cold.commit(write(job_id, events.Succeeded()))
        assert (saved.jobs[0].version, saved.position) == (10_003, 10_003)
        replayed = await cold.commit(batch(*notes, key=keyed("half 0")))
        assert (replayed.replayed, replayed.jobs[0].version) == (True, 5_002)
