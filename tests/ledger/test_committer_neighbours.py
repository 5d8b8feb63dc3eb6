"""Callers of one commit do not harm each other: whatever is wrong with one write stays with it."""

from __future__ import annotations

import asyncio
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
