"""Clashes that are the only ones of their commit: no other can lead the append function to look closer.

Seen red: the project left out where a commit of one job is looked over; names that are not compared with each other; a version
that is not; a head that goes on for what was turned away."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection

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
    return Unit((entry,), {job_id: expected})


async def append(dsn: str, *units: Unit) -> list[Result]:
    async with await AsyncConnection.connect(conninfo(dsn, Role.APP), autocommit=True) as one:
        return await store.append(one, units)


@pytest.mark.parametrize("beside", [0, 1])
async def test_a_job_of_another_project_alone_and_among_others(database: str, beside: int) -> None:
    """A commit of one job is looked over by another statement than one of many."""
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
