"""A long job takes one more event as a short one does: what is read for it does not grow with its length."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection

from ledger import events, store
from ledger.committer import Committer
from ledger.connection import Role, conninfo
from ledger.store import Connection, Entry, Unit
from tests.histories import ANN
from tests.writes import batch, creation, write

pytestmark = pytest.mark.anyio

LONG, SHORT = UUID(int=1), UUID(int=2)
EVENTS = 5_000
# An index of so many rows is a level higher than one of few: a page for each of three indexes, and two to spare.
PAGES_MORE_MAX = 5


@pytest.fixture
async def committer(database: str) -> AsyncIterator[Committer]:
    async with Committer(database) as opened:
        await opened.commit(write(LONG, creation(), events.Started()))
        await opened.commit(write(SHORT, creation(), events.Started()))
        await opened.commit(batch(*[(LONG, events.Progressed(progress=0.5))] * EVENTS))
        yield opened


async def test_what_is_kept_of_a_long_job_is_not_read_again(
    committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[dict[UUID, int]] = []
    streams = store.streams

    async def counted(connection: Connection, after: dict[UUID, int], **named: Any) -> Any:
        read.append(dict(after))
        return await streams(connection, after, **named)

    monkeypatch.setattr(store, "streams", counted)
    for _ in range(5):
        await committer.commit(write(LONG, events.Noted()))
    assert read == []
    # Another process was faster: only what it added is read.
    async with Committer(committer._writer._conninfo) as other:
        await other.commit(write(LONG, events.Noted()))
        read.clear()
        saved = await committer.commit(write(LONG, events.Noted()))
    assert saved.jobs[0].version == EVENTS + 9
    assert read == [{LONG: EVENTS + 7}]


async def pages(connection: Connection, job_id: UUID, version: int) -> int:
    """Pages that PostgreSQL looks at to append one event to a job, which is then taken back."""
    entry = Entry.of(job_id, version + 1, uuid4(), events.Noted(), ANN)
    encoded = store.encode_batch([Unit((entry,))]).decode()
    explained = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT ledger.append(%s::jsonb)"
    async with connection.transaction(force_rollback=True):
        row = await (await connection.execute(explained, (encoded,))).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


async def test_postgresql_reads_no_more_for_a_long_job(committer: Committer, database: str) -> None:
    async with await AsyncConnection.connect(
        conninfo(database, Role.APP), autocommit=True
    ) as connection:
        # The first ones look at the catalogue, and plan.
        short = [await pages(connection, SHORT, 2) for _ in range(7)][-1]
        long = [await pages(connection, LONG, EVENTS + 2) for _ in range(7)][-1]
    assert 0 < long <= short + PAGES_MORE_MAX
