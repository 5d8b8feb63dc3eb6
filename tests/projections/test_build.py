"""Builds: rows do not depend on how the log is cut, and rows and position move together or not at all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError
from psycopg import Connection

from ledger import settings
from ledger.connection import Role, conninfo
from projections import PROJECTIONS
from projections.build import SQL, Build, Poison
from projections.filters import FILTERS, SORTS
from projections.projection import Projection
from projections.rebuild import compare, rebuild
from projections.tracking import Positions
from tests.fix_jobs import Ledger, fold, play

COUNTED = """
SELECT a.attname FROM pg_statistic s JOIN pg_attribute a ON (a.attrelid, a.attnum) = (s.starelid, s.staattnum)
WHERE s.starelid = 'projections.counted'::regclass
"""
BOUNDS = "SELECT max(cardinality(histogram_bounds::text::text[])) FROM pg_stats WHERE tablename = 'counted'"
READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'projections.bare'::regclass"
INDEXES = "SELECT count(*) FROM pg_index WHERE indrelid = 'projections.bare'::regclass"
EVERY = pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda one: one.name)


@pytest.fixture(scope="module")
def ledger(module_database: str) -> Ledger:
    return asyncio.run(play(module_database, jobs=80, seed=11))


@pytest.fixture
def projector(ledger: Ledger) -> Iterator[Connection[Any]]:
    with psycopg.connect(conninfo(ledger.dsn, Role.PROJECTOR), autocommit=True) as connection:
        yield connection


def rows(connection: Connection[Any], build: Build) -> set[str]:
    found = connection.execute(f'SELECT t::text FROM projections."{build.table}" t').fetchall()
    return {row[0] for row in found}


def built(
    connection: Connection[Any], ledger: Ledger, projection: Projection, name: str, cuts: list[int]
) -> set[str]:
    """The rows of a table that was folded from cut to cut."""
    build = Build(projection, name, Positions(ledger.dsn))
    build.create(connection)
    start = 0
    for cut in [*cuts, len(ledger.log)]:
        if cut > start:
            start = build.advance(connection, start, cut)
    assert build.position(connection) == len(ledger.log)
    found = rows(connection, build)
    build.drop(connection)
    return found


@EVERY
def test_rows_do_not_depend_on_how_the_log_is_cut(
    projector: Connection[Any], ledger: Ledger, projection: Projection
) -> None:
    whole = built(projector, ledger, projection, "whole", [])
    assert whole
    chance = random.Random(5)
    positions = range(1, len(ledger.log))
    for count in (1, 7, len(positions) // 3, len(positions)):
        cuts = sorted(chance.sample(positions, count))
        assert built(projector, ledger, projection, "cut", cuts) == whole


@EVERY
def test_a_crash_before_the_position_moves_leaves_neither(
    projector: Connection[Any], ledger: Ledger, projection: Projection
) -> None:
    build = Build(projection, "crashed", Positions(ledger.dsn))
    build.create(projector)
    build.advance(projector, 0, 20)
    before = rows(projector, build)
    with psycopg.connect(ledger.dsn, autocommit=True) as owner:
        owner.execute(CRASHES)
        with pytest.raises(psycopg.OperationalError):
            build.advance(projector, 20, 40)
        owner.execute("DROP FUNCTION projections.crash CASCADE")
    assert rows(projector, build) == before
    assert build.position(projector) == 20
    assert build.advance(projector, 20, 40) == 40
    build.drop(projector)


# The server fails the fold when its rows are written and its position is about to be.
CRASHES = """
CREATE FUNCTION projections.crash() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the process ended here' USING ERRCODE = 'crash_shutdown'; END $$;
CREATE TRIGGER crash BEFORE UPDATE ON projections.notification_tracking FOR EACH ROW
WHEN (new.application_name = 'crashed') EXECUTE FUNCTION projections.crash();
"""


@EVERY
def test_a_range_is_folded_once(
    projector: Connection[Any], ledger: Ledger, projection: Projection
) -> None:
    """A second worker that came late is refused by the position, and its rows with it."""
    build = Build(projection, "twice", Positions(ledger.dsn))
    build.create(projector)
    build.advance(projector, 0, 30)
    before = rows(projector, build)
    with pytest.raises((Poison, IntegrityError)):
        build.advance(projector, 0, 30)
    assert rows(projector, build) == before
    assert build.position(projector) == 30
    build.drop(projector)


@EVERY
def test_a_rebuild_equals_the_live_table_and_mends_one_that_was_edited(
    projector: Connection[Any], ledger: Ledger, projection: Projection
) -> None:
    fold(ledger)
    told: list[tuple[int, int]] = []
    first = rebuild(ledger.dsn, projection.name, lambda done, total: told.append((done, total)))
    assert (first["different"], first["position"]) == (0, len(ledger.log))
    assert told[-1] == (len(ledger.log), len(ledger.log))
    column = {"job_counts": "created", "job_revisions": "failures"}.get(projection.name, "position")
    edited = (
        f'UPDATE projections."{projection.name}" SET "{column}" = "{column}" + 1 WHERE project = %s'
    )
    changed = projector.execute(edited, ("b",)).rowcount
    assert compare(ledger.dsn, projection.name).different == changed > 0
    mended = rebuild(ledger.dsn, projection.name)
    assert mended["different"] == changed
    assert compare(ledger.dsn, projection.name).different == 0


@EVERY
def test_a_build_finds_by_an_index_what_it_looks_for_in_its_own_table(
    projector: Connection[Any], ledger: Ledger, projection: Projection
) -> None:
    """Else a rebuild of small ranges takes the square of the log. Seen red where the births of job_revisions had none yet."""
    build = Build(projection, "bare", Positions(ledger.dsn))
    build.create(projector, bare=True)
    born = max(one.position for one in ledger.log if one.version == 1)
    build.advance(projector, 0, born - 1)
    with projector.transaction():
        projector.execute("SET LOCAL enable_seqscan = off")
        before = projector.execute(READ).fetchone()
        build.advance(projector, born - 1, born)
        after = projector.execute(READ).fetchone()
    build.index(projector)
    indexes = projector.execute(INDEXES).fetchone()
    build.drop(projector)
    assert before is not None
    assert after is not None
    assert indexes is not None
    assert after[0] - before[0] <= 10
    assert indexes[0] > projection.queries["index"].count("CREATE") >= 1


def test_the_first_readers_of_a_build_find_its_columns_counted(
    projector: Connection[Any], ledger: Ledger
) -> None:
    jobs = next(one for one in PROJECTIONS if one.name == "jobs")
    build = Build(jobs, "counted", Positions(ledger.dsn))
    build.create(projector, bare=True)
    build.advance(projector, 0, len(ledger.log))
    build.index(projector)
    with psycopg.connect(ledger.dsn, autocommit=True) as owner:
        counted = {column for (column,) in owner.execute(COUNTED).fetchall()}
        bounds = owner.execute(BOUNDS).fetchone()
    build.drop(projector)
    asked = {one.column for one in FILTERS.values()} | {one.column for one in SORTS.values()}
    assert counted >= asked
    assert not counted & {"detail", "messages", "history", "description"}
    assert bounds == (settings.BUILD_STATISTICS + 1,)


def test_a_build_is_quick_until_its_transaction_ends(projector: Connection[Any]) -> None:
    """Seen red where the settings were the session's."""

    def set_to() -> tuple[str, ...] | None:
        names = "current_setting('wal_compression'), current_setting('default_statistics_target')"
        return projector.execute(f"SELECT {names}").fetchone()

    before = set_to()
    with projector.transaction():
        projector.execute(SQL["quick"], ("7",))
        assert set_to() == ("off", "7")
    assert set_to() == before == ("pglz", "100")
