"""Clashes that are the only ones of their commit: no other can lead the append function to look closer.

Seen red: the project left out where events are written; a version that is not compared; a head that goes on for what was turned away; events
that are written before the names that may be taken, or twice because they follow others."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from ledger import events, store
from ledger.connection import Role, conninfo
from ledger.events import Envelope, Event
from ledger.store import Appended, Entry, Result, TurnedAway, Unit
from tests.histories import ANN
from tests.writes import creation, read_log

pytestmark = pytest.mark.anyio


def unit(job_id: UUID, event: Event, *, expected: int = 0, envelope: Envelope = ANN) -> Unit:
    """One event of a job that stands at this version."""
    entry = Entry.of(job_id, expected + 1, uuid4(), event, envelope)
    return Unit((entry,))


async def append(dsn: str, *units: Unit) -> list[Result]:
    async with await AsyncConnection.connect(conninfo(dsn, Role.APP), autocommit=True) as one:
        return await store.append(one, units)


async def rows(dsn: str) -> list[str]:
    """Where the rows of events lie: there is a gap where some were written and taken back."""
    async with await AsyncConnection.connect(dsn) as owner:
        found = await owner.execute("SELECT ctid::text FROM ledger.stored_events")
        return [place for (place,) in await found.fetchall()]


@pytest.mark.parametrize("beside", [0, 1])
async def test_a_job_of_another_project_alone_and_among_others(database: str, beside: int) -> None:
    job_id, theirs = uuid4(), ANN._replace(project="theirs")
    await append(database, unit(job_id, creation(1)))
    others = [unit(uuid4(), creation(2)) for _ in range(beside)]
    said = unit(job_id, events.Noted(), expected=1, envelope=theirs)
    assert (await append(database, *others, said))[-1] == TurnedAway("stranger", str(job_id))
    assert len(await read_log(database)) == 1 + beside


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_a_job_that_stands_elsewhere(database: str, expected: int) -> None:
    job_id = uuid4()
    await append(database, unit(job_id, creation(1)))
    await append(database, unit(job_id, events.Queued(), expected=1))
    (answer,) = await append(database, unit(job_id, events.Noted(), expected=expected))
    assert answer == TurnedAway("stale", str(job_id))
    assert len(await read_log(database)) == 2


@pytest.mark.parametrize("named", [{"number": 1}, {"request_id": "r"}, {"source_id": "s"}])
async def test_one_name_for_two_new_jobs(database: str, named: dict[str, Any]) -> None:
    units = [unit(uuid4(), creation(**named)) for _ in range(2)]
    first, second = await append(database, *units)
    assert isinstance(first, Appended)
    assert second == TurnedAway("again", None)
    assert [one.job_id for one in await read_log(database)] == [units[0].entries[0].job_id]


async def test_positions_have_no_gap_where_a_unit_is_turned_away(database: str) -> None:
    good, stale = uuid4(), uuid4()
    kept = unit(good, creation(1)), unit(uuid4(), creation(2))
    late = unit(stale, events.Queued(), expected=1)
    first, second, third = await append(database, kept[0], late, kept[1])
    assert second == TurnedAway("stale", str(stale))
    (fourth,) = await append(database, unit(good, events.Queued(), expected=1))
    saved = [one for one in (first, third, fourth) if isinstance(one, Appended)]
    assert [one.position for one in saved] == [1, 2, 3]
    assert [one.position for one in await read_log(database)] == [1, 2, 3]


@pytest.mark.parametrize("beside", [0, 1])
async def test_two_writes_of_one_job(database: str, beside: int) -> None:
    """Both stand where they should: it is each other that they meet."""
    job_id = uuid4()
    others = [unit(uuid4(), creation(2)) for _ in range(beside)]
    units = [unit(job_id, events.Noted()) for _ in range(2)]
    *_, first, second = await append(database, *others, *units)
    assert isinstance(first, Appended)
    assert (first.position, second) == (1 + beside, TurnedAway("again", None))
    assert len(await read_log(database)) == 1 + beside


async def test_events_that_follow_others_of_their_unit(database: str) -> None:
    one, other, theirs = uuid4(), uuid4(), ANN._replace(project="theirs")
    await append(database, unit(one, creation(1)))

    def entry(job_id: UUID, version: int, envelope: Envelope = ANN) -> Entry:
        return Entry.of(job_id, version, uuid4(), events.Noted(), envelope)

    both = entry(one, 2), entry(other, 1), entry(one, 3), entry(other, 2)
    (saved,) = await append(database, Unit(both))
    assert isinstance(saved, Appended)
    assert await rows(database) == ["(0,1)", "(0,2)", "(0,3)", "(0,4)", "(0,5)"]  # at the first try
    late = Unit((entry(one, 3), entry(one, 4)))
    strange = Unit((entry(other, 3, theirs), entry(other, 4, theirs)))
    assert await append(database, late, strange) == [
        TurnedAway("stale", str(one)),
        TurnedAway("stranger", str(other)),
    ]
    versions = [(found.job_id, found.version) for found in await read_log(database)]
    assert versions == [(one, 1), (one, 2), (other, 1), (one, 3), (other, 2)]


async def test_a_unit_that_meets_itself_is_an_error_and_no_endless_try(database: str) -> None:
    job_id = uuid4()
    twice = Unit(tuple(Entry.of(job_id, 1, uuid4(), events.Noted(), ANN) for _ in range(2)))
    with pytest.raises(UniqueViolation):
        await append(database, twice)
    assert await read_log(database) == []


async def test_a_taken_name_leaves_no_row_of_its_event_behind(database: str) -> None:
    """A client can ask for taken names as often as he likes; the log would grow by what nobody reads."""
    holder = uuid4()
    await append(database, unit(holder, creation(1)))
    taken = await append(database, unit(uuid4(), creation(1)))
    assert taken == [TurnedAway("taken", ["number", "1", str(holder)])]
    await append(database, unit(uuid4(), creation(2)))
    assert await rows(database) == ["(0,1)", "(0,2)"]
