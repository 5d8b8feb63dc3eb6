"""Rebuild and compare: the same rows beside the live ones, differences told and put right, readers unharmed, nothing left behind."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger import settings
from ledger.connection import Role, conninfo
from ledger.errors import Busy
from projections import PROJECTIONS
from projections.build import Build, Poison, live
from projections.job_counts import JOB_COUNTS
from projections.job_revisions import JOB_REVISIONS
from projections.job_states import JOB_STATES
from projections.jobs import JOBS
from projections.rebuild import Compared, UnknownProjection, compare, rebuild
from tests.fix_log import (
    LIVES,
    builds,
    eventually,
    expected,
    forge,
    forger,
    projector,
    record,
    rows,
)

LOG = LIVES
NAMES = [projection.name for projection in PROJECTIONS]


@pytest.fixture
def forging(database: str) -> Iterator[Connection[Any]]:
    """A ledger whose read models are all at the end of its log."""
    with forger(database) as connection, projector(database) as maker:
        record(connection, LOG)
        for build in builds(database):
            build.create(maker)
            build.advance(maker, 0, len(LOG))
            with maker.transaction():
                build.show(maker)
        yield connection


def tables(connection: Connection[Any]) -> set[str]:
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'projections'")
    return {name for (name,) in found.fetchall()} - {"live", "stopped", "notification_tracking"}


def tracked(connection: Connection[Any]) -> set[tuple[str, int]]:
    return set(connection.execute("SELECT * FROM projections.notification_tracking").fetchall())


def seen(connection: Connection[Any]) -> dict[str, list[dict[str, Any]]]:
    """What readers see."""
    return {p.name: rows(connection, p, p.name) for p in PROJECTIONS}


def kept(connection: Connection[Any], name: str) -> int:
    """How many rows readers are shown, counts of 0 too."""
    row = connection.execute(f"SELECT count(*) FROM projections.{name}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_a_rebuild_equals_the_live_one(
    forging: Connection[Any], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "PROJECT_EVENTS_MAX", 5)
    lived: set[str] = tables(forging)
    for _ in range(3):
        for name in NAMES:
            told: list[tuple[int, int]] = []
            answer = rebuild(database, name, lambda *counted: told.append(counted))  # noqa: B023
            assert answer == asdict(Compared(len(LOG), kept(forging, name), 0, ()))
            assert told == [(done, len(LOG)) for done in (0, 5, 10, len(LOG))]
        assert seen(forging) == expected(LOG)
        # A worker may still hold on to a name that was live once.
        assert lived.isdisjoint(tables(forging))
        lived |= tables(forging)
    # One table each, which is tracked; and readers see it.
    shown = {live(forging, projection) for projection in PROJECTIONS}
    assert {(int(re.findall(r"_v(\d+)_", name)[0]), name) for name in tables(forging)} == shown
    assert tracked(forging) == {(name, len(LOG)) for name in tables(forging)}


def test_it_rests_so_that_others_have_their_turn(
    forging: Connection[Any], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a rebuild takes a core from its first event to its last."""
    monkeypatch.setattr(settings, "PROJECT_EVENTS_MAX", 5)
    rests: list[float] = []
    monkeypatch.setattr("projections.rebuild.time.sleep", rests.append)
    rebuild(database, JOBS.name)
    assert len(rests) >= len(LOG) // 5
    assert all(rest_s > 0 for rest_s in rests)


def test_a_difference_is_told_and_put_right(forging: Connection[Any], database: str) -> None:
    forging.execute("UPDATE projections.jobs_v1 SET owner = 'eve' WHERE number = 2")
    forging.execute("DELETE FROM projections.job_states_v2 WHERE position = 9")
    forging.execute(
        "UPDATE projections.job_counts_v4 SET canceled = 7 WHERE span_s = 0 AND latest",
    )
    forging.execute("UPDATE projections.job_revisions_v5 SET outcome = 'Failed' WHERE position = 6")
    before = tables(forging)
    ids = {one["number"]: str(one["id"]) for one in expected(LOG)["jobs"]}
    keys = {
        JOBS.name: (ids[2],),
        JOB_STATES.name: (ids[1], "5"),
        JOB_COUNTS.name: ("demo", "0", "0", "VirtualServer", "", str(settings.COUNTS_STRETCH)),
        JOB_REVISIONS.name: (ids[2], "6"),
    }
    for name in NAMES:
        found = compare(database, name)
        missing = name == JOB_STATES.name
        assert found == Compared(len(LOG), kept(forging, name) + missing, 1, (keys[name],))
    # Comparing changes nothing.
    assert tables(forging) == before
    assert seen(forging) != expected(LOG)
    for name in NAMES:
        assert rebuild(database, name)["different"] == 1
        assert compare(database, name).different == 0
    assert seen(forging) == expected(LOG)


def test_it_stands_where_the_live_one_stands(forging: Connection[Any], database: str) -> None:
    """A live table that lags, with nobody to fold it, is rebuilt as far as it is."""
    with projector(database) as maker:
        build = builds(database)[0]
        forging.execute("DROP VIEW projections.jobs")
        build.create(maker)
        build.advance(maker, 0, 6)
        with maker.transaction():
            build.show(maker)
    assert rebuild(database, "jobs")["position"] == 6
    assert rows(forging, JOBS, "jobs") == expected(LOG[:6])["jobs"]


def test_one_rebuild_at_a_time(forging: Connection[Any], database: str) -> None:
    held: list[int] = []

    def busy(done: int, total: int) -> None:
        with pytest.raises(Busy):
            rebuild(database, "jobs")
        with pytest.raises(Busy):
            compare(database, "jobs")
        held.append(rebuild(database, "job_counts")["position"])

    rebuild(database, "jobs", busy)
    assert held
    assert seen(forging) == expected(LOG)


def test_what_a_killed_rebuild_left_is_cleared_away(
    forging: Connection[Any], database: str
) -> None:
    def die(done: int, total: int) -> None:
        for (pid,) in forging.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall():
            forging.execute("SELECT pg_terminate_backend(%s)", (pid,))

    with pytest.raises(psycopg.OperationalError):
        rebuild(database, "jobs", die)
    assert tables(forging) >= {"jobs_v1", "jobs_v1_2"}
    assert seen(forging) == expected(LOG)
    assert rebuild(database, "jobs")["different"] == 0
    assert len(tables(forging)) == len(PROJECTIONS)
    assert seen(forging) == expected(LOG)


def test_a_rebuild_that_meets_poison_leaves_the_live_one(
    forging: Connection[Any], database: str
) -> None:
    before = tables(forging)
    forge(forging, 6, "topic", "job.vanished")
    for name in NAMES:
        with pytest.raises(Poison):
            rebuild(database, name)
    assert tables(forging) == before
    assert seen(forging) == expected(LOG)


def test_only_what_there_is_can_be_rebuilt(database: str) -> None:
    for name in ("nothing", "jobs"):
        with pytest.raises(UnknownProjection):
            rebuild(database, name)
        with pytest.raises(UnknownProjection):
            compare(database, name)


def test_readers_notice_nothing(forging: Connection[Any], database: str) -> None:
    """They ask again and again, by a statement prepared before, while tables are swapped under them."""
    done, answers, faults = threading.Event(), [0], list[BaseException]()

    def read() -> None:
        asked = (
            b"SELECT count(*), sum(version) FROM projections.jobs"
            b" JOIN (SELECT count(*) AS stays FROM projections.job_states) s ON s.stays = %s"
        )
        wanted = expected(LOG)
        row = (len(wanted["jobs"]), sum(job["version"] for job in wanted["jobs"]))
        try:
            with psycopg.connect(conninfo(database, Role.APP), autocommit=True) as reader:
                while not done.is_set():
                    found = reader.execute(asked, (len(wanted["job_states"]),), prepare=True)
                    assert found.fetchone() == row
                    answers[0] += 1
        except BaseException as error:  # noqa: BLE001 - it is the finding
            faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(5):
            for name in ("jobs", "job_states"):
                start = answers[0]
                rebuild(database, name)
                eventually(lambda: answers[0] > start + 5 or bool(faults), "reads go on")  # noqa: B023
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert faults == []


def test_a_build_past_the_live_one_is_refused(forging: Connection[Any], database: str) -> None:
    """Then it is not the same log, or somebody moved the live one back."""
    ahead = Build(JOBS, "jobs_v1_9", builds(database)[0].positions)
    behind = builds(database)[0]
    with projector(database) as maker:
        ahead.create(maker)
        ahead.advance(maker, 0, len(LOG))
        forging.execute("DROP VIEW projections.jobs")
        behind.create(maker)
        with pytest.raises(Exception, match="past jobs_v1"), maker.transaction():
            ahead.level(maker, behind)
