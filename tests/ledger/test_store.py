"""The append function and the readers, on real PostgreSQL: one result per unit, dense positions, bytes as they were written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from ledger import events, settings, store
from ledger.commands import Key
from ledger.connection import Role, conninfo
from ledger.events import Created, Envelope, Event, Recorded
from ledger.store import Appended, Connection, Entry, TurnedAway, Unit
from tests.histories import ANN, HOSTILE

pytestmark = pytest.mark.anyio


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    async with await AsyncConnection.connect(
        conninfo(database, Role.APP), autocommit=True
    ) as opened:
        yield opened


def unit(
    job_id: UUID,
    *said: Event,
    expected: int = 0,
    key: Key | None = None,
    envelope: Envelope = ANN,
) -> Unit:
    """These events of one job, behind the version expected."""
    entries = tuple(
        Entry.of(job_id, expected + nth, uuid4(), event, envelope)
        for nth, event in enumerate(said, start=1)
    )
    outcome = {"jobs": [[str(job_id), expected + len(said)]]}
    return Unit(entries, key, outcome)


def created(number: int | None = None, **named: Any) -> Created:
    return Created(type="t", owner="o", number=number, **named)


def key(name: str, request: bytes = b"r") -> Key:
    return Key("demo", name, request)


async def log(connection: Connection) -> list[Recorded]:
    return await store.read_after(connection, 0, 1_000_000)


async def test_positions_are_dense_and_answers_keep_the_order(connection: Connection) -> None:
    jobs = [uuid4() for _ in range(3)]
    units = [unit(job, created(n), *[events.Noted()] * n) for n, job in enumerate(jobs, start=1)]
    answers = await store.append(connection, units)
    assert [a.position for a in answers if isinstance(a, Appended)] == [1, 3, 6]
    recorded = await log(connection)
    assert [r.position for r in recorded] == list(range(1, 10))
    assert [r.event_id for r in recorded] == [e.event_id for u in units for e in u.entries]
    assert await store.head(connection) == 9


async def test_each_unit_gets_its_own_answer_and_harms_no_other(connection: Connection) -> None:
    old, known = uuid4(), uuid4()
    await store.append(
        connection,
        [
            unit(old, created(1, request_id="r1"), events.Queued()),
            unit(known, created(2), key=key("k1")),
        ],
    )
    fresh = [uuid4() for _ in range(6)]
    units = [
        unit(fresh[0], created(3)),
        unit(old, events.Queued(), expected=1),
        unit(fresh[1], created(1)),
        unit(fresh[2], created(4, request_id="r1")),
        unit(fresh[3], created(5), key=key("k1")),
        unit(fresh[4], created(6), key=key("k2")),
        unit(fresh[5], created(7), key=key("k2")),
        unit(uuid4(), created(3)),
        unit(fresh[0], events.Queued(), expected=1),
        unit(known, events.Started(), expected=1),
    ]
    answers = await store.append(connection, units)
    assert [a.reason if isinstance(a, TurnedAway) else a.position for a in answers] == [
        *(4, "stale", "taken", "taken", "key", 5, "again", "again", "stale", 6),
    ]
    details = [a.detail if isinstance(a, TurnedAway) else None for a in answers]
    assert details[1] == str(old)
    assert details[2] == ["number", "1", str(old)]
    assert details[3] == ["request_id", "r1", str(old)]
    assert details[4] == {"request_hash": "72", "outcome": {"jobs": [[str(known), 1]]}}
    recorded = await log(connection)
    assert [r.position for r in recorded] == list(range(1, 7))
    assert [r.job_id for r in recorded[3:]] == [fresh[0], fresh[4], known]


async def test_a_unit_is_refused_whole(connection: Connection) -> None:
    one, other = uuid4(), uuid4()
    both = Unit(
        (*unit(one, created(1)).entries, *unit(other, events.Queued(), expected=4).entries),
        key("k"),
    )
    (answer,) = await store.append(connection, [both])
    assert isinstance(answer, TurnedAway)
    assert await log(connection) == []
    # Neither its identities nor its key were kept.
    assert await store.key_outcome(connection, key("k")) is None
    assert await store.holders(connection, both) == {}
    assert isinstance((await store.append(connection, [unit(one, created(1))]))[0], Appended)


async def test_an_append_rolled_back_leaves_no_hole(connection: Connection) -> None:
    await store.append(connection, [unit(uuid4(), created(1))])
    async with connection.transaction(force_rollback=True):
        (answer,) = await store.append(connection, [unit(uuid4(), created(2))])
        assert isinstance(answer, Appended)
        assert answer.position == 2
    await store.append(connection, [unit(uuid4(), created(3))])
    assert [r.position for r in await log(connection)] == [1, 2]


async def test_a_unit_may_be_a_key_alone(connection: Connection) -> None:
    nothing = Unit((), key("k"), {"jobs": []})
    answers = await store.append(connection, [nothing, unit(uuid4(), created(1))])
    assert [a.position for a in answers if isinstance(a, Appended)] == [1, 1]
    assert await store.key_outcome(connection, key("k")) == (b"r", {"jobs": []})
    assert await store.key_outcome(connection, replace(key("k"), project="other")) is None


@pytest.mark.parametrize(
    ("expected", "saved"), [(-1, True), (0, True), (-7, True), (1, False), (2, False)]
)
async def test_a_job_without_events_stands_at_nought_or_below(
    connection: Connection, expected: int, saved: bool
) -> None:
    """The library's applications may count from 0, and so expect -1."""
    (answer,) = await store.append(connection, [unit(uuid4(), events.Noted(), expected=expected)])
    assert isinstance(answer, Appended) == saved


async def test_identities_are_a_projects_own(connection: Connection) -> None:
    theirs = ANN._replace(project="theirs")
    units = [
        unit(uuid4(), created(1, request_id="r", source_id="s")),
        unit(uuid4(), created(1, request_id="r", source_id="s"), envelope=theirs),
        unit(uuid4(), created(2, request_id="s", source_id="r")),
    ]
    answers = await store.append(connection, units)
    assert all(isinstance(answer, Appended) for answer in answers)
    assert await store.holders(connection, units[0]) == dict.fromkeys(
        (("number", "1"), ("request_id", "r"), ("source_id", "s")), units[0].entries[0].job_id
    )


async def test_drawn_numbers_go_past_those_that_clients_gave(connection: Connection) -> None:
    assert await store.numbers(connection, 3) == [1, 2, 3]
    for given, drawn in ((2, 4), (60531, 60532), (60532, 60533), (60534, 60535), (7, 60536)):
        await store.append(connection, [unit(uuid4(), created(given))])
        assert await store.numbers(connection, 1) == [drawn]


async def test_the_first_number_may_be_given_too(connection: Connection) -> None:
    await store.append(connection, [unit(uuid4(), created(1))])
    assert await store.numbers(connection, 1) == [2]


async def test_no_client_can_use_up_the_numbers(connection: Connection) -> None:
    await store.append(connection, [unit(uuid4(), created(settings.COUNT_MAX))])
    assert await store.numbers(connection, 1) == [1]
    await store.append(connection, [unit(uuid4(), created(2**52))])
    assert await store.numbers(connection, 1) == [2**52 + 1]


async def test_the_time_of_record_never_runs_backwards(
    connection: Connection, database: str
) -> None:
    ahead = datetime.now(UTC) + timedelta(days=400)
    async with await AsyncConnection.connect(database, autocommit=True) as owner:
        await owner.execute("UPDATE ledger.head SET recorded_at = %s", (ahead,))
    for number in (1, 2):
        (answer,) = await store.append(connection, [unit(uuid4(), created(number))])
        assert isinstance(answer, Appended)
        assert answer.recorded_at == ahead
    assert {r.recorded_at for r in await log(connection)} == {ahead}


async def test_bytes_and_envelopes_come_back_as_they_went(connection: Connection) -> None:
    ages = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), None]
    units = []
    for nth, text in enumerate(HOSTILE):
        envelope = Envelope(
            *(text, text, text, text, text),
            occurred_at=ages[nth % 3],
            source_id=text,
            imported=bool(nth % 2),
        )
        said = created(nth + 1, description=text, detail={text: [text, 2**70, -0.0, 1e-7]})
        units.append(unit(uuid4(), said, envelope=envelope))
    answers = await store.append(connection, units)
    assert all(isinstance(answer, Appended) for answer in answers)
    entries = [one.entries[0] for one in units]
    assert [(r.event, r.envelope) for r in await log(connection)] == [
        (entry.event, entry.envelope) for entry in entries
    ]
    seen = await connection.execute(
        "SELECT state, ledger.body(state) #>> '{event,description}' FROM ledger.stored_events ORDER BY notification_id"
    )
    assert await seen.fetchall() == [
        (entry.state, text) for entry, text in zip(entries, HOSTILE, strict=True)
    ]


async def test_a_batch_of_many_mebibytes_is_one_parameter(connection: Connection) -> None:
    large = {"a": "\u00e4" * (settings.EVENT_BYTES_MAX // 2 - 200)}
    units = [unit(uuid4(), created(n + 1, detail=large)) for n in range(32)]
    assert len(store.encode_batch(units)) > settings.COMMIT_BYTES_MAX
    answers = await store.append(connection, units)
    assert [a.position for a in answers if isinstance(a, Appended)] == list(range(1, 33))


async def test_reading(connection: Connection) -> None:
    one, other, theirs = uuid4(), uuid4(), uuid4()
    stranger = ANN._replace(project="theirs")
    await store.append(connection, [unit(one, created(1), events.Queued(), events.Started())])
    await store.append(connection, [unit(theirs, created(1), events.Queued(), envelope=stranger)])
    await store.append(connection, [unit(other, created(2), events.Canceled())])
    recorded = await log(connection)

    async def positions(after: int, limit: int, project: str | None = None) -> list[int]:
        read = await store.read_after(connection, after, limit, project=project)
        return [r.position for r in read]

    assert await positions(0, 3) == [1, 2, 3]
    assert await positions(3, 10) == [4, 5, 6, 7]
    assert await positions(7, 10) == []
    assert await positions(1, 3, "demo") == [2, 3, 6]
    assert await positions(0, 9, "theirs") == [4, 5]
    assert await positions(0, 9, "nobody's") == []
    assert await store.streams(connection, {one: 1, other: 0, theirs: 2, uuid4(): 0}) == {
        one: recorded[1:3],
        other: recorded[5:7],
    }
    assert await store.stream_to(connection, one, 2) == recorded[:2]
    entry = unit(uuid4(), created(9)).entries[0]
    mine = entry._replace(job_id=one, version=2, event_id=recorded[1].event_id)
    assert await store.events_there(connection, [entry, mine]) == {
        recorded[1].event_id: (2, recorded[1].recorded_at)
    }


SCANS = """
SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables
WHERE relname IN ('stored_events', 'identities', 'idempotency_keys')
"""


async def test_plans_from_when_the_log_was_short_do_not_read_all_of_it_later(
    connection: Connection, database: str
) -> None:
    """Nor from when PostgreSQL had counted how short. Seen red with sessions whose plans may read a table through."""

    async def scans() -> object:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        async with await AsyncConnection.connect(database, autocommit=True) as owner:
            return await (await owner.execute(SCANS)).fetchone()

    async def each_once(nth: int) -> None:
        job_id = uuid4()
        one = unit(job_id, created(nth), key=key(str(nth)))
        await store.append(connection, [one])
        await store.streams(connection, {job_id: 0})
        await store.stream_to(connection, job_id, 1)
        await store.events_there(connection, one.entries)
        await store.holders(connection, one)
        await store.key_outcome(connection, key(str(nth)))
        await store.read_after(connection, nth - 1, 1)
        await store.read_after(connection, nth - 1, 1, project="demo")

    for nth in range(1, 21):
        if nth == 11:
            with psycopg.connect(database, autocommit=True) as owner:
                owner.execute("ANALYZE")
        await each_once(nth)
    many = [unit(uuid4(), created(nth), *[events.Noted()] * 3) for nth in range(100, 1_100)]
    await store.append(connection, many)
    before = await scans()
    for nth in range(21, 31):
        await each_once(nth)
    assert await scans() == before
