"""Callers of one commit do not harm each other: whatever is wrong with one write stays with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from ledger import events
from ledger.commands import Command, Write
from ledger.committer import Committed, Committer
from ledger.errors import (
    IdentityTaken,
    IllegalTransition,
    Invalid,
    LedgerError,
    Undecodable,
    UnknownJob,
)
from ledger.flight import Flight
from ledger.waiting import Waiting
from ledger.writer import Writer
from tests.histories import ANN
from tests.writes import appends_wait, creation, held, keyed, read_log, until, write

pytestmark = pytest.mark.anyio


async def test_a_job_that_cannot_be_read_harms_no_other(database: str) -> None:
    broken = uuid4()
    async with Committer(database) as committer:
        await committer.commit(write(broken, creation()))
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("ALTER TABLE ledger.stored_events DISABLE TRIGGER append_only")
        owner.execute("UPDATE ledger.stored_events SET state = 'garbage'")
    async with Committer(database) as committer:
        async with held(database) as holder:
            first = asyncio.create_task(committer.commit(write(uuid4(), creation())))
            await appends_wait(holder)
            tasks = [
                asyncio.create_task(committer.commit(asked))
                for asked in (
                    write(uuid4(), creation()),
                    write(broken, events.Queued()),
                    write(uuid4(), creation()),
                )
            ]
            # The broken one is refused while the first is being committed: it needs no commit.
            with pytest.raises(Undecodable):
                await tasks[1]
            assert committer.waiting == 2
        outcomes = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert [type(one) for one in outcomes] == [Committed, Committed, Undecodable, Committed]


async def test_a_write_that_cannot_be_decided_harms_no_other(database: str) -> None:
    """Seen red: with what breaks while all is decided at once left to the loop, which told nobody."""
    shapeless = events.Noted.of_checked({})
    jobs = [uuid4() for _ in range(3)]
    async with Committer(database) as committer:
        await asyncio.gather(*(committer.commit(write(job, creation())) for job in jobs))
        said = (events.Queued(), shapeless, events.Queued())
        outcomes = await asyncio.gather(
            *(committer.commit(write(*one)) for one in zip(jobs, said, strict=True)),
            return_exceptions=True,
        )
    assert [type(one) for one in outcomes] == [Committed, AttributeError, Committed]


async def test_what_is_known_is_decided_without_the_database(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red: with every batch decided by a task that may read."""
    asked: list[int] = []
    decide = Writer.decide

    async def counted(self: Writer, batch: Sequence[Waiting]) -> list[Waiting]:
        asked.append(len(batch))
        return await decide(self, batch)

    monkeypatch.setattr(Writer, "decide", counted)
    job, other = uuid4(), uuid4()
    async with Committer(database) as committer:
        await committer.commit(write(job, creation()))  # numbers are drawn
        await committer.commit(write(job, events.Queued()))
        await committer.commit(write(other, creation()))
        assert asked == [1]
        with pytest.raises(IllegalTransition):
            await committer.commit(write(job, events.Succeeded()))
        await committer.commit(write(job, events.Started()))
    assert asked == [1, 1]


@pytest.mark.parametrize("refused", [True, False], ids=["refused", "not kept"])
async def test_who_waits_for_the_log_to_be_read_keeps_only_his_own_job_waiting(
    database: str, monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    """Seen red: with nothing decided while the log was read for one write."""
    reading, read = asyncio.Event(), asyncio.Event()
    decide = Writer.decide

    async def slow(self: Writer, batch: Sequence[Waiting]) -> list[Waiting]:
        reading.set()
        await read.wait()
        return await decide(self, batch)

    job, other = uuid4(), uuid4()
    async with Committer(database) as committer:
        for one in (job, other):
            await committer.commit(write(one, creation()))
    async with Committer(database) as committer:
        await committer.commit(write(other, events.Queued()))
        if refused:
            await committer.commit(write(job, events.Noted()))
        monkeypatch.setattr(Writer, "decide", slow)
        first = asyncio.create_task(
            committer.commit(write(job, events.Succeeded() if refused else events.Queued()))
        )
        await reading.wait()
        behind = asyncio.create_task(committer.commit(write(job, events.Started())))
        for event in (events.Started(), events.Succeeded()):
            await committer.commit(write(other, event))
        assert committer.waiting == 2
        read.set()
        outcomes = await asyncio.gather(first, behind, return_exceptions=True)
    assert [type(one) for one in outcomes] == [
        IllegalTransition if refused else Committed,
        Committed,
    ]


async def test_a_commit_is_bounded_with_those_that_the_log_is_read_for(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red: with those forgotten that were being read for when another commit set out."""
    monkeypatch.setattr("ledger.settings.COMMIT_UNITS_MAX", 2)
    read, decided = asyncio.Event(), asyncio.Event()
    sizes: list[int] = []
    decide, depart = Writer.decide, Writer.depart

    async def slow(self: Writer, batch: Sequence[Waiting]) -> list[Waiting]:
        await read.wait()
        planned = await decide(self, batch)
        decided.set()
        return planned

    def counted(self: Writer, planned: Sequence[Waiting], *, uncertain: bool = False) -> Flight:
        sizes.append(len(planned))
        return depart(self, planned, uncertain=uncertain)

    jobs = [uuid4() for _ in range(4)]
    async with Committer(database) as committer:
        for job in jobs:
            await committer.commit(write(job, creation()))
    async with Committer(database) as committer:
        for job in jobs[1:]:
            await committer.commit(write(job, events.Queued()))
        monkeypatch.setattr(Writer, "decide", slow)
        monkeypatch.setattr(Writer, "depart", counted)
        async with held(database) as holder:
            tasks = [
                asyncio.create_task(committer.commit(write(job, event)))
                for job, event in zip(jobs[:2], (events.Queued(), events.Started()), strict=True)
            ]
            await appends_wait(holder)
            tasks += [
                asyncio.create_task(committer.commit(write(job, events.Started())))
                for job in jobs[2:]
            ]
            await until(lambda: committer.waiting == 3)
            read.set()
            await decided.wait()
            await asyncio.sleep(0)  # the committer hears of it
        assert all(isinstance(one, Committed) for one in await asyncio.gather(*tasks))
    assert sizes == [1, 2, 1]


async def test_what_is_decided_for_many_is_logged_as_nobodys(database: str) -> None:
    """Seen red: with the context of whoever called first."""
    caller: ContextVar[str] = ContextVar("caller")
    seen: list[str | None] = []

    def now() -> datetime:
        seen.append(caller.get(None))
        return datetime.now(UTC)

    job = uuid4()
    async with Committer(database, now=now) as committer:
        caller.set("ann")
        await committer.commit(write(job, creation()))
        await committer.commit(write(job, events.Queued()))
    assert len(seen) >= 2
    assert set(seen) == {None}


@pytest.mark.parametrize("name", ["nul \x00", "".join(map(chr, range(0x4E00, 0x9E00)))])
async def test_a_write_that_postgresql_cannot_hold_harms_no_other(database: str, name: str) -> None:
    async with Committer(database) as committer:
        async with held(database) as holder:
            first = asyncio.create_task(committer.commit(write(uuid4(), creation())))
            await appends_wait(holder)
            tasks = [
                asyncio.create_task(committer.commit(write(uuid4(), creation(), key=key)))
                for key in (keyed("k1"), keyed(name), keyed("k2"))
            ]
            await until(lambda: committer.waiting == 3)
        outcomes = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert [type(one) for one in outcomes] == [Committed, Committed, Invalid, Committed]
    assert [r.position for r in await read_log(database)] == [1, 2, 3]


async def test_refusals_of_one_batch_are_each_callers_own(database: str) -> None:
    job_id = uuid4()
    async with Committer(database) as committer:
        await committer.commit(write(job_id, creation(1)))
        asked = [
            write(job_id, events.Succeeded()),
            write(uuid4(), events.Queued()),
            write(uuid4(), creation(1)),
            write(uuid4(), creation()),
            Write((Command(uuid4(), creation(), ANN._replace(note="\x00")),)),
        ]
        outcomes = await asyncio.gather(*map(committer.commit, asked), return_exceptions=True)
    assert [type(one) for one in outcomes] == [
        *(IllegalTransition, UnknownJob, IdentityTaken, Committed, Invalid),
    ]
    assert all(one.changed is False for one in outcomes if isinstance(one, LedgerError))
