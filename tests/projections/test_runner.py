"""The runner: it follows, stands by, stops at what it cannot fold, and goes on where it stopped."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import Connection
from uuid_utils.compat import uuid7

from ledger import events
from ledger.commands import Command, Write
from ledger.committer import Committer
from ledger.events import Envelope
from projections import PROJECTIONS
from projections.position import Reached, positions
from projections.projection import Projection
from projections.runner import Runner
from tests.fix_jobs import play

DEADLINE_S = 30.0


def eventually(happens: Callable[[], bool]) -> None:
    """Wait until it does."""
    deadline = time.monotonic() + DEADLINE_S
    while not happens():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@contextmanager
def running(dsn: str, projections: Sequence[Projection] = PROJECTIONS) -> Iterator[Runner]:
    runner = Runner(dsn, projections)
    runner.start()
    try:
        yield runner
    finally:
        runner.stop()


@pytest.fixture
def owner(database: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def reached(dsn: str) -> dict[str, Reached]:
    async def ask() -> dict[str, Reached]:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            return await positions(connection)

    return asyncio.run(ask())


def level(dsn: str, *names: str) -> bool:
    """Whether these projections, or all, are at the end of the log."""
    found = reached(dsn)
    return all(found[name].lag == 0 and not found[name].error for name in names or found)


def create_one(dsn: str) -> int:
    async def write() -> int:
        async with Committer(dsn) as committer:
            event = events.Created(type="A", owner="ann")
            command = Command(uuid7(), event, Envelope(project="a", actor="ann"))
            return (await committer.commit(Write((command,)))).position

    return asyncio.run(write())


def test_it_builds_what_is_missing_and_follows(database: str) -> None:
    log = asyncio.run(play(database, jobs=20)).log
    with running(database):
        eventually(lambda: level(database))
        assert {one.position for one in reached(database).values()} == {len(log)}
        # Nobody wakes it: it looks by itself.
        assert create_one(database) == len(log) + 1
        eventually(lambda: reached(database)["jobs"].position == len(log) + 1)


def test_of_two_runners_one_works_and_the_other_takes_over(
    database: str, owner: Connection[Any]
) -> None:
    locked = (
        "SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()"
    )
    create_one(database)
    with running(database), running(database):
        eventually(lambda: level(database))
        eventually(lambda: level(database))
        workers = {row[0] for row in owner.execute(locked).fetchall()}
        assert len(workers) == len(PROJECTIONS)
        for pid in workers:
            owner.execute("SELECT pg_terminate_backend(%s)", (pid,))
        create_one(database)
        eventually(lambda: level(database))
        successors = {row[0] for row in owner.execute(locked).fetchall()}
        assert len(successors) == len(PROJECTIONS)
        assert not successors & workers
        count = owner.execute(
            "SELECT sum(created) FROM projections.job_counts WHERE span_s = 0 AND latest"
        ).fetchone()
        assert count == (2,)


def test_poison_stops_one_projection_alone_and_it_resumes_there(
    database: str, owner: Connection[Any]
) -> None:
    create_one(database)
    with running(database):
        eventually(lambda: level(database))
        before = create_one(database)
        # Nothing of ours writes such a body: progress is a number to `jobs`, and nothing to the others.
        _write_past_the_guards(
            owner,
            "WITH h AS (UPDATE ledger.head SET position = position + 1 RETURNING position)"
            " INSERT INTO ledger.stored_events (notification_id, originator_id, originator_version, topic, state, project, recorded_at)"
            " SELECT h.position, e.originator_id, 2, 'job.progressed', %s, 'a', now() FROM h, ledger.stored_events e"
            " WHERE e.notification_id = 1",
            (b'{"actor":"ann","event":{"progress":"half"}}',),
        )
        after = create_one(database)
        assert after == before + 2
        eventually(lambda: reached(database)["jobs"].error is not None)
        eventually(lambda: level(database, "job_states", "job_counts"))
        stopped = reached(database)["jobs"]
        assert stopped.position == before
        assert stopped.error is not None
        assert f"event {before + 1}" in stopped.error
        _mend(owner, before + 1)
        eventually(lambda: level(database))
        assert owner.execute("SELECT count(*), max(progress) FROM projections.jobs").fetchone() == (
            3,
            0.5,
        )


def test_one_that_stops_in_its_first_build_says_so(database: str, owner: Connection[Any]) -> None:
    create_one(database)
    _write_past_the_guards(
        owner,
        "WITH h AS (UPDATE ledger.head SET position = position + 1 RETURNING position)"
        " INSERT INTO ledger.stored_events (notification_id, originator_id, originator_version, topic, state, project, recorded_at)"
        " SELECT h.position, e.originator_id, 2, 'job.vanished', '{}', 'a', now() FROM h, ledger.stored_events e",
    )
    with running(database):
        eventually(lambda: all(one.error for one in reached(database).values()))
    assert {one.position for one in reached(database).values()} == {1}


def _mend(owner: Connection[Any], position: int) -> None:
    _write_past_the_guards(
        owner,
        "UPDATE ledger.stored_events SET state = %s WHERE notification_id = %s",
        (b'{"actor":"ann","event":{"progress":0.5}}', position),
    )


def _write_past_the_guards(
    owner: Connection[Any], statement: LiteralString, values: tuple[object, ...] = ()
) -> None:
    """What only a superuser who turns the guards off can do."""
    with owner.transaction():
        owner.execute("SET LOCAL session_replication_role = replica")
        owner.execute(statement, values)


def test_a_new_version_is_built_beside_the_old_one_and_swapped_in(
    database: str, owner: Connection[Any]
) -> None:
    log = asyncio.run(play(database, jobs=20)).log
    with running(database):
        eventually(lambda: level(database))
    unharmed = threading.Event()
    newer = tuple(replace(one, version=2) for one in PROJECTIONS)

    def read_on() -> None:
        with psycopg.connect(database, autocommit=True) as reader:
            while not unharmed.is_set():
                row = reader.execute("SELECT count(*) FROM projections.jobs").fetchone()
                assert row is not None
                assert row[0] > 0

    reading = threading.Thread(target=read_on)
    reading.start()
    with running(database, newer):
        shown = "SELECT name, version, application_name FROM projections.live ORDER BY name"
        expected = [(one.name, 2, f"{one.name}_v2") for one in sorted(newer, key=lambda o: o.name)]
        eventually(lambda: owner.execute(shown).fetchall() == expected)
        eventually(lambda: level(database))
    unharmed.set()
    reading.join(DEADLINE_S)
    assert {one.position for one in reached(database).values()} == {len(log)}
    tables = owner.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'projections'"
    ).fetchall()
    assert {("jobs_v2",), ("job_states_v2",), ("job_counts_v2",)} <= set(tables)
    assert ("jobs_v1",) not in tables
