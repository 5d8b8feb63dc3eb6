"""Connections that break, locks that are not given, a database that goes away: every write has one effect or none, and its caller knows."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import psycopg
import pytest

from ledger import events, settings
from ledger.commands import Write
from ledger.committer import Committer
from ledger.errors import Busy, IllegalTransition, Unreachable
from tests.histories import ANN
from tests.proxy import Cut, Proxy
from tests.writes import appends_wait, batch, creation, held, keyed, read_log, until, write

pytestmark = pytest.mark.anyio

MARKED = ANN._replace(note="the marked write")
JOB = UUID(int=77)
WRITES: dict[str, Write] = {
    "a creation": write(uuid4(), creation(), envelope=MARKED),
    "a creation with a key": write(uuid4(), creation(), key=keyed(), envelope=MARKED),
    "an event": write(JOB, events.Started(), envelope=MARKED),
    "an event with a key": write(JOB, events.Started(), key=keyed(), envelope=MARKED),
    "a note": write(JOB, events.Noted(), envelope=MARKED),
    "a batch": batch((JOB, events.Started()), (uuid4(), creation(9)), envelope=MARKED),
}


@pytest.mark.parametrize("what", WRITES)
async def test_a_broken_line_has_one_effect_and_the_caller_hears_of_it(
    proxy: Proxy, database: str, cut: Cut, what: str
) -> None:
    asked = WRITES[what]
    async with Committer(proxy.dsn) as committer:
        await committer.commit(write(JOB, creation(), events.Queued()))
        proxy.cut(cut, MARKED.note or "")
        saved = await committer.commit(asked)
        assert proxy.cuts == 1
        log = await read_log(database)
        assert [r.event_id for r in log[2:]] == [r.event_id for r in saved.recorded]
        assert log[2:] == list(saved.recorded)
        assert len(log) == 2 + len(asked.commands)
        assert (saved.position, saved.replayed) == (len(log), False)
        # What the committer keeps of the job is right, too.
        after = await committer.commit(write(JOB, events.Canceled()))
        assert after.jobs[0].position == len(log) + 1


async def test_all_writes_of_a_broken_commit_are_told(
    proxy: Proxy, database: str, cut: Cut
) -> None:
    """Some saved, some refused, in one commit whose answer is lost."""
    async with Committer(proxy.dsn) as committer, Committer(database) as other:
        await committer.commit(write(JOB, creation(7), events.Started()))
        await other.commit(write(JOB, events.Succeeded()))
        async with held(database) as holder:
            first = asyncio.create_task(committer.commit(write(uuid4(), creation())))
            await appends_wait(holder)
            proxy.cut(cut, MARKED.note or "")
            asked = [write(uuid4(), creation(), envelope=MARKED) for _ in range(20)]
            asked += [write(uuid4(), creation(), key=keyed()) for _ in range(20)]
            tasks = [asyncio.create_task(committer.commit(one)) for one in asked]
            # Decided on the job as Processing, since that is all this process knows: the append turns it away.
            stale = asyncio.create_task(committer.commit(write(JOB, events.Canceled())))
            await until(lambda: committer.waiting == 41)
        await first
        saved = await asyncio.gather(*tasks)
        with pytest.raises(IllegalTransition):
            await stale
    assert proxy.cuts == 1
    log = await read_log(database)
    assert len(log) == 3 + 1 + 40
    assert {r for one in saved for r in one.recorded} == set(log[4:])
    assert [r.position for r in log] == list(range(1, 45))


async def test_somebody_elses_change_after_a_broken_line_is_seen(
    proxy: Proxy, database: str
) -> None:
    """The write never arrived, and meanwhile the job ended: that is a refusal, not a success and not a loss."""
    async with Committer(proxy.dsn) as committer, Committer(database) as other:
        await committer.commit(write(JOB, creation(), events.Started()))
        proxy.cut(Cut.BEFORE, MARKED.note or "", stay_closed=True)
        lost = asyncio.create_task(
            committer.commit(write(JOB, events.Succeeded(), envelope=MARKED))
        )
        await until(lambda: proxy.cuts == 1)
        await other.commit(write(JOB, events.Canceled()))
        proxy.open()
        with pytest.raises(IllegalTransition):
            await lost
    assert len(await read_log(database)) == 3


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER], ids=str)
async def test_a_database_that_stays_away_leaves_the_outcome_unknown_and_the_key_tells(
    proxy: Proxy, database: str, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RECONNECT_S", 0.2)
    asked = write(uuid4(), creation(), key=keyed(), envelope=MARKED)
    async with Committer(proxy.dsn) as committer:
        proxy.cut(cut, MARKED.note or "", stay_closed=True)
        with pytest.raises(Unreachable) as unknown:
            await committer.commit(asked)
        assert unknown.value.changed is None
        # Now it is known beforehand that nothing can be sent.
        with pytest.raises(Busy) as refusal:
            await committer.commit(write(uuid4(), creation()))
        assert refusal.value.changed is False
        proxy.open()
        saved = await committer.commit(asked)
        assert saved.replayed == (cut is Cut.AFTER)
    (recorded,) = await read_log(database)
    assert recorded.job_id == saved.jobs[0].id


async def test_a_line_that_broke_between_two_commits_costs_nothing(
    proxy: Proxy, database: str
) -> None:
    async with Committer(proxy.dsn) as committer:
        await committer.commit(write(JOB, creation()))
        with psycopg.connect(database, autocommit=True) as killer:
            killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        # It needs to read before it can decide.
        other = uuid4()
        async with Committer(database) as elsewhere:
            await elsewhere.commit(write(other, creation()))
        saved = await committer.commit(write(other, events.Queued()))
    assert saved.position == 3


async def test_a_log_that_is_held_too_long_is_busy_and_nothing_happened(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(settings, "LOCK_TIMEOUT_S", 0.1)
    async with Committer(database) as committer:
        async with held(database):
            with pytest.raises(Busy) as refusal:
                await committer.commit(write(JOB, creation()))
            assert refusal.value.changed is False
            # Callers need not know of our statements; the operator does.
            assert str(refusal.value) == "The database refused the commit."
            assert "lock timeout" in caplog.text
            with pytest.raises(Busy):
                await committer.commit(write(JOB, creation()))
            assert len(caplog.messages) == 1, "and is not told again of the same"
        await committer.commit(write(JOB, creation()))
    assert len(await read_log(database)) == 1


async def test_a_held_log_after_a_broken_line_is_not_taken_for_a_refusal(
    proxy: Proxy, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try waits in the server, and will be saved. The second is timed out there; to call that a refusal would be a lie."""
    asked = write(JOB, creation(), envelope=MARKED)
    async with Committer(proxy.dsn) as committer:
        # The line of the first try is open already; those after it are less patient.
        monkeypatch.setattr(settings, "LOCK_TIMEOUT_S", 0.1)
        committer._writer._conninfo = Committer(proxy.dsn)._writer._conninfo
        async with held(database) as holder:
            proxy.cut(Cut.WHILE, MARKED.note or "")
            saving = asyncio.create_task(committer.commit(asked))
            await appends_wait(holder)
            await appends_wait(holder, 2)
            await appends_wait(holder, 1)
            assert not saving.done()
        saved = await saving
    assert await read_log(database) == list(saved.recorded)


async def test_closing_without_a_database_ends(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RECONNECT_S", 0.2)
    async with Committer(proxy.dsn) as committer:
        proxy.cut(Cut.BEFORE, MARKED.note or "", stay_closed=True)
        task = asyncio.create_task(committer.commit(write(JOB, creation(), envelope=MARKED)))
        await until(lambda: proxy.cuts == 1)
    with pytest.raises(Unreachable):
        await task
