"""A commit that does not end, as where PostgreSQL waits for a standby or for another process: nobody waits long behind it."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import psycopg
import pytest

from ledger import events, settings
from ledger.committer import Committer
from ledger.errors import Busy, Unreachable
from tests.histories import ANN
from tests.proxy import Cut, Proxy
from tests.writes import DEADLINE_S, appends_wait, creation, held, keyed, read_log, until, write

pytestmark = pytest.mark.anyio

JOB = UUID(int=77)
MARK = "the marked write"


async def test_who_would_wait_behind_it_is_told_that_nothing_happened(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "FOLLOW_POLL_S", 0.01)
    async with Committer(database) as committer, Committer(database) as elsewhere:
        await committer.commit(write(JOB, creation()))
        # Not of this process, so that the log is read before it is decided.
        foreign, key = uuid4(), keyed()
        await elsewhere.commit(write(foreign, creation()))
        # The session has its own patience already; a process has so much with it.
        monkeypatch.setattr(settings, "LOCK_TIMEOUT_S", 0.05)
        async with held(database) as holder:
            first = asyncio.create_task(committer.commit(write(JOB, events.Queued())))
            await appends_wait(holder)
            behind = (
                write(JOB, events.Started()),
                write(uuid4(), creation()),
                write(uuid4(), creation(), key=key),
                write(foreign, events.Queued()),
            )
            told = await asyncio.gather(*map(committer.commit, behind), return_exceptions=True)
            for refusal in told:
                assert isinstance(refusal, Busy), refusal
                assert (refusal.changed, refusal.retry_after_s) == (False, 5)
            with pytest.raises(Busy, match="one commit"):
                await asyncio.wait_for(committer.commit(write(uuid4(), creation())), 5)
            assert (committer.waiting, first.done()) == (0, False)
        saved = await first
        assert saved.position == 3
        # As before, with nothing left of who was refused: neither a job that is busy, nor a key under way.
        again = await asyncio.gather(*map(committer.commit, behind))
        assert [one.replayed for one in again] == [False] * 4
    assert len(await read_log(database)) == 7


async def test_closing_waits_for_its_end(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "FOLLOW_POLL_S", 0.01)
    committer = await Committer(database).__aenter__()
    monkeypatch.setattr(settings, "LOCK_TIMEOUT_S", 0.05)
    async with held(database) as holder:
        first = asyncio.create_task(committer.commit(write(JOB, creation())))
        await appends_wait(holder)
        second = asyncio.create_task(committer.commit(write(JOB, events.Queued())))
        closing = asyncio.create_task(committer.__aexit__())
        await until(second.done)
        assert (first.done(), closing.done()) == (False, False)
    await closing
    with pytest.raises(Busy):
        await second
    assert (await first).position == 1


async def test_a_log_that_cannot_be_read_keeps_nobody_for_ever(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the machine of PostgreSQL is frozen. Seen red with who has to be read for waiting as long as the log is locked."""
    monkeypatch.setattr(settings, "SILENCE_S", 0.2)
    monkeypatch.setattr(settings, "LOCK_TIMEOUT_S", 2 * DEADLINE_S)
    async with Committer(database) as committer, Committer(database) as elsewhere:
        await elsewhere.commit(write(JOB, creation()))
        async with await psycopg.AsyncConnection.connect(database) as owner:
            await owner.execute("LOCK TABLE ledger.stored_events")
            with pytest.raises(Busy, match="does not answer"):
                await asyncio.wait_for(committer.commit(write(JOB, events.Queued())), DEADLINE_S)
        saved = await committer.commit(write(JOB, events.Queued()))
    assert saved.position == 2


async def test_a_line_that_falls_silent_after_another_was_lost(
    proxy: Proxy, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has as long as a connection has to be found, not as one that was never lost."""
    monkeypatch.setattr(settings, "RECONNECT_S", 0.5)
    asked = write(JOB, creation(), key=keyed(), envelope=ANN._replace(note=MARK))
    async with Committer(proxy.dsn) as committer:
        proxy.cut(Cut.BEFORE, MARK)
        lost = asyncio.create_task(committer.commit(asked))
        await until(lambda: proxy.cuts == 1)
        proxy.cut(Cut.UNHEARD, MARK)
        with pytest.raises(Unreachable):
            await asyncio.wait_for(lost, DEADLINE_S)
        assert proxy.cuts == 2
        assert not (await committer.commit(asked)).replayed
    assert len(await read_log(database)) == 1
