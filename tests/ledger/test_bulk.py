"""Bulk appends: what all at once writes is what ledger.append would, and what clashes is turned away alone. Seen red with: no look at the jobs that
go on, the head moved on by a batch that was not written, and salts that were all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from ledger import bulk, store
from ledger.bulk import Addition
from ledger.connection import Role, conninfo
from ledger.events import Created, Event, Noted, Queued
from ledger.imported import Claim, History
from ledger.store import Connection, Entry, TurnedAway, Unit
from tests.histories import ANN, HOSTILE

pytestmark = pytest.mark.anyio
IMPORTED = ANN._replace(imported=True)
AT = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ROWS = (
    "SELECT originator_id, originator_version, occurred_at, event_id, topic, project, credential_id, state"
    " FROM ledger.stored_events ORDER BY notification_id"
)
BESIDE = (
    "SELECT project, kind, value, job_id FROM ledger.identities ORDER BY 1, 2, 3",
    "SELECT h.position, (SELECT count(*) FROM ledger.stored_events) FROM ledger.head h",
)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    dsn = conninfo(database, Role.APP)
    async with await AsyncConnection.connect(dsn, autocommit=True) as opened:
        yield opened


def addition(nth: int, *said: Event, after: int = 0, project: str = "demo") -> Addition:
    """What a source tells of the nth job."""
    job_id = UUID(int=nth)
    told = [
        Claim.of(event, IMPORTED._replace(project=project), AT, UUID(int=100 * nth + line), line)
        for line, event in enumerate(said)
    ]
    return Addition(History(project, job_id, (), told), told, after)


def created(**fields: Any) -> Created:
    return Created(type="t", owner="o", **fields)


async def append(
    connection: Connection, *additions: Addition
) -> tuple[int, list[TurnedAway | None]]:
    return await bulk.append(connection, additions, bulk.pack(additions))


async def held(connection: Connection, *queries: str) -> list[list[tuple[Any, ...]]]:
    """What the log holds."""
    return [await (await connection.execute(query)).fetchall() for query in queries]


async def append_by_unit(connection: Connection, additions: Sequence[Addition]) -> None:
    """The way of everybody else."""
    for one in additions:
        entries = tuple(
            Entry.of(
                one.history.job_id,
                one.after + nth,
                claim.event_id or UUID(int=0),
                claim.event,
                claim.envelope._replace(occurred_at=claim.at),
            )
            for nth, claim in enumerate(one.claims, 1)
        )
        await store.append(connection, [Unit(entries)])


async def test_all_at_once_writes_what_one_by_one_does(
    connection: Connection, module_database: str
) -> None:
    words = [text for text in HOSTILE if text.strip("\x00")]
    hostile = [addition(nth, created(number=nth, object=word)) for nth, word in enumerate(words, 1)]
    told = [
        Claim.of(Noted(), IMPORTED._replace(note=note, credential_id=None), at, UUID(int=9), 5)
        for note, at in (
            ("", None),
            ("é", datetime.min.replace(tzinfo=UTC) + timedelta(days=1)),
            ("\U0010ffff", datetime.max.replace(tzinfo=UTC)),
        )
    ]
    long = addition(90, created(source_id="a", request_id="b", number=2**40), *[Queued()] * 1_100)
    first = [*hostile, long, addition(91, Queued(), project="other"), addition(92, created())]
    noted = Addition(History("demo", UUID(int=90), (), told), told, 1_101)
    assert await append(connection, *first) == (0, [None] * len(first))
    assert await append(connection, noted) == (len(words) + 1_103, [None])
    dsn = conninfo(module_database, Role.APP)
    async with await AsyncConnection.connect(dsn, autocommit=True) as other:
        # Line by line, as the other does.
        await append_by_unit(other, [*first, noted])
        ours, theirs = [await held(one, ROWS, *BESIDE) for one in (connection, other)]
    assert sorted(ours[0], key=str) == sorted(theirs[0], key=str)
    assert ours[1:] == theirs[1:]


@pytest.mark.parametrize(
    ("clashing", "reason"),
    [
        (addition(1, created()), "stale"),
        (addition(1, Noted(), after=1), "stale"),
        (addition(1, Noted(), after=3), "stale"),
        (addition(8, Noted(), after=1), "stale"),
        (addition(1, Noted(), after=2, project="other"), "stranger"),
        (addition(8, created(number=7)), "taken"),
        (addition(8, created(source_id="a")), "taken"),
        (addition(9, created(number=9)), "again"),
        (addition(8, created(number=8)), "again"),
    ],
)
async def test_what_clashes_is_turned_away_alone(
    connection: Connection, clashing: Addition, reason: str
) -> None:
    await append(connection, addition(1, created(number=7, source_id="a"), Queued()))
    new, old = addition(9, created(number=8), Queued()), addition(1, Noted(), after=2)
    good = [new] if clashing.history.job_id == UUID(int=1) else [new, old]
    position, answers = await append(connection, *good, clashing)
    assert position == 2
    assert answers[:-1] == [None] * len(good)
    assert answers[-1] is not None
    assert answers[-1].reason == reason
    ((head, count),) = (await held(connection, BESIDE[1]))[0]
    assert head == count == 2 + sum(len(one.claims) for one in good)


async def test_a_batch_that_clashes_leaves_nothing(connection: Connection) -> None:
    await append(connection, addition(1, created(number=7)))
    before = await held(connection, ROWS, *BESIDE)
    additions = [addition(2, created(number=6), Queued()), addition(1, created(number=5))]
    cursor = await connection.execute(bulk.SQL["append_all"], bulk.pack(additions))
    assert await cursor.fetchone() == (None,)
    assert await held(connection, ROWS, *BESIDE) == before


async def test_the_sequence_goes_past_a_number_that_was_given(connection: Connection) -> None:
    await append(
        connection, addition(1, created(number=41)), addition(2, created(number=2**52 + 1))
    )
    assert await bulk.numbers(connection, 3) == [42, 43, 44]


async def test_each_event_has_a_salt_of_its_own(connection: Connection) -> None:
    for first in (1, 11):
        await append(connection, *(addition(first + nth, created(), Queued()) for nth in range(10)))
    salts = (await held(connection, "SELECT salt::text FROM ledger.stored_events"))[0]
    assert len(set(salts)) == len(salts) == 40


async def test_a_large_statement_is_waited_for_until_it_has_gone_out(
    connection: Connection,
) -> None:
    large = "x" * 8_000_000
    asked = asyncio.create_task(connection.execute("SELECT length(%s)", (large,)))
    await asyncio.sleep(0)
    assert connection.pgconn.flush() == 1
    await bulk.sent(connection)
    assert connection.pgconn.flush() == 0
    assert await (await asked).fetchone() == (len(large),)
    await bulk.sent(connection)
