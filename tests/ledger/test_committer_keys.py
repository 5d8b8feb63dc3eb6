"""One effect per idempotency key: answered again after the job moved on and after a restart, refused for another request."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from uuid import uuid4

import pytest

from ledger import events
from ledger.committer import Committed, Committer
from ledger.errors import IllegalTransition, KeyInFlight, KeyReused
from ledger.job import State
from tests.histories import ANN
from tests.writes import appends_wait, batch, creation, held, keyed, read_log, write

pytestmark = pytest.mark.anyio


async def test_the_same_request_again_gets_the_same_answer(database: str) -> None:
    """At once, after the job moved on, and from another process."""
    job_id, other_id = uuid4(), uuid4()
    made = write(job_id, creation(), events.Queued(), key=keyed("made"))
    both = batch(
        *((job_id, events.Started()), (other_id, creation()), (job_id, events.Noted())),
        key=keyed("both"),
    )
    async with Committer(database) as committer:
        first = await committer.commit(made)
        again = await committer.commit(made)
        assert again == Committed(first.jobs, first.position, replayed=True)
        started = await committer.commit(both)
        await committer.commit(write(job_id, events.Succeeded()))
        await committer.commit(write(other_id, events.Canceled()))
        assert await committer.commit(made) == again
        assert (await committer.commit(both)).jobs == started.jobs
    async with Committer(database) as committer:
        assert await committer.commit(made) == again
        replayed = await committer.commit(both)
        assert replayed == Committed(started.jobs, started.position, replayed=True)
        assert [job.version for job in replayed.jobs] == [4, 1]
    assert len(await read_log(database)) == 7


async def test_a_creation_again_under_another_id_is_the_job_of_the_first(database: str) -> None:
    """The edge gives each request a new id: the key says that it is the same job."""
    async with Committer(database) as committer, Committer(database) as other:
        first = await committer.commit(write(uuid4(), creation(request_id="r"), key=keyed("k")))
        for one in (committer, other):
            again = await one.commit(write(uuid4(), creation(request_id="r"), key=keyed("k")))
            assert (again.jobs, again.replayed) == (first.jobs, True)
    assert len(await read_log(database)) == 1


async def test_another_request_under_the_key_is_refused(database: str) -> None:
    job_id = uuid4()
    async with Committer(database) as committer, Committer(database) as other:
        await committer.commit(write(job_id, creation(), key=keyed("k", b"one")))
        for one in (committer, other):
            # Whether it could be saved or not.
            for asked in (events.Queued(), events.Succeeded()):
                with pytest.raises(KeyReused):
                    await one.commit(write(job_id, asked, key=keyed("k", b"other")))
        # Another project's key of that name is another key.
        stranger = replace(keyed("k", b"other"), project="theirs")
        await other.commit(write(job_id, events.Queued(), key=stranger))
    assert len(await read_log(database)) == 2


async def test_a_key_whose_first_request_is_under_way(database: str) -> None:
    asked = write(uuid4(), creation(), key=keyed("k"))
    async with Committer(database) as committer, Committer(database) as other:
        async with held(database) as holder:
            first = asyncio.create_task(committer.commit(asked))
            await appends_wait(holder)
            with pytest.raises(KeyInFlight):
                await committer.commit(asked)
            elsewhere = asyncio.create_task(other.commit(asked))
            await appends_wait(holder, 2)
        # The other process waits for the first, and answers as it does.
        assert (await elsewhere).jobs == (await first).jobs
        assert {(await first).replayed, (await elsewhere).replayed} == {False, True}
        assert (await committer.commit(asked)).replayed
    assert len(await read_log(database)) == 1


async def test_a_refused_write_keeps_nothing_under_its_key(database: str) -> None:
    job_id = uuid4()
    asked = write(job_id, events.Succeeded(), key=keyed("k"))
    async with Committer(database) as committer:
        await committer.commit(write(job_id, creation()))
        for _ in range(2):
            with pytest.raises(IllegalTransition):
                await committer.commit(asked)
        await committer.commit(write(job_id, events.Started()))
        saved = await committer.commit(asked)
        assert (saved.jobs[0].state, saved.replayed) == (State.SUCCEEDED, False)
        assert (await committer.commit(asked)).replayed


async def test_an_end_said_again_is_kept_under_its_key(database: str) -> None:
    """It appends nothing, but its answer must stay what it was."""
    job_id = uuid4()
    async with Committer(database) as committer, Committer(database) as other:
        await committer.commit(write(job_id, creation(), events.Canceled()))
        asked = write(job_id, events.Canceled(), key=keyed("k"))
        first = await committer.commit(asked)
        assert (first.recorded, first.position, first.replayed) == ((), 2, False)
        await committer.commit(write(job_id, events.Noted()))
        for one in (committer, other):
            again = await one.commit(asked)
            assert (again.jobs, again.position, again.replayed) == (first.jobs, 2, True)
            with pytest.raises(KeyReused):
                await one.commit(write(job_id, events.Noted(), key=keyed("k", b"other")))


async def test_many_processes_with_one_key_have_one_effect(database: str) -> None:
    async with AsyncExitStack() as stack:
        committers = [await stack.enter_async_context(Committer(database)) for _ in range(8)]
        for nth in range(40):
            key = keyed(f"k{nth}")
            saved = await asyncio.gather(
                *(c.commit(write(uuid4(), creation(), key=key)) for c in committers)
            )
            assert len({one.jobs for one in saved}) == 1
            assert sorted(one.replayed for one in saved) == [False] + [True] * 7
    log = await read_log(database)
    assert len(log) == 40
    assert {recorded.envelope for recorded in log} == {ANN}
