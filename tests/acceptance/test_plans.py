"""What every filter in every order costs, on a data set small enough for a test; `./scripts/plans` does it with a million jobs.

Invariants: rows that were looked at are counted, no time. Seen red without the index on the owner, and without the one on the last change."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import class_row

from ledger import embedded
from ledger.codec import Row, decode, encode
from ledger.commands import Command
from ledger.connection import Role, conninfo
from ledger.decide import decide
from ledger.job import Job, evolve
from projections.filters import FILTERS, SORTS, Condition, Sort
from projections.question import Query
from projections.spans import SPANS_S
from scripts.benchmarks import dataset, life, plans
from scripts.benchmarks.scene import Ground, Sizes, scene_on
from scripts.plans import measured

JOBS = 12_000


@pytest.fixture(scope="module")
def ground(postgres: embedded.Server, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(postgres, tmp_path_factory.mktemp("plans"), Sizes(JOBS, 1))


def test_a_page_costs_no_more_rows_than_it_must(ground: Ground) -> None:
    found = measured(ground)
    assert {one.filter for one in found} >= FILTERS.keys() - {"source_id"}
    assert {one.order.removeprefix("-") for one in found} == SORTS.keys()
    assert all(one.indexes for one in found)
    dear = [
        one
        for one in found
        if one.rows > plans.rows_max(JOBS)
        and not plans.is_pulled_two_ways(one.filter, one.word, one.order)
    ]
    assert not dear
    # An order by itself reads little but its page; ids are of all projects.
    pages = [one for one in found if not one.filter and one.order.removeprefix("-") != "id"]
    assert all(one.rows <= 2 * (plans.PAGE + 1) for one in pages)


def test_an_exact_total_behind_a_range_looks_at_no_more_jobs_than_half_a_short_span_has(
    ground: Ground,
) -> None:
    """Without the spans it would look at all that it counts, thousands."""
    with (
        scene_on(ground, "10M") as scene,
        psycopg.connect(conninfo(scene.dsn, Role.READER), autocommit=True) as connection,
    ):
        connection.execute(plans.SQL["see"], ("{" + life.PROJECT + "}",))
        # Of the short spans, the one with the most jobs.
        row = connection.execute(
            "SELECT max(j.jobs), sum(j.jobs) FROM projections.job_counts k"
            " CROSS JOIN LATERAL (SELECT created + queued + processing + succeeded + failed + canceled AS jobs) j"
            " WHERE k.project = %s AND k.span_s = %s AND k.latest",
            (life.PROJECT, SPANS_S[0]),
        ).fetchone()
        assert row is not None
        densest, jobs = row
        assert jobs > 10 * densest
        for since_s, until_s in ((-1, 10**6), (100, 4_900), (149, 5_251), (1_234, 2_345), (0, 150)):
            conditions = tuple(
                Condition(FILTERS[name], (dataset.BEGAN + timedelta(seconds=second),))
                for name, second in (("created_from", since_s), ("created_to", until_s))
            )
            state = Condition(FILTERS["state"], ("Succeeded", "Failed"))
            for chosen in (conditions, (*conditions, state)):
                asked = Query(life.PROJECT, chosen, (Sort("created", True),), limit=50, total=True)
                found = plans.cost(connection, asked, "created_from", "", "-created")
                # A page of 51 of each state is merged, and half a span may hold more than half of its jobs.
                assert found.rows <= 2 * densest + 2 * 51, (since_s, until_s)


def log_of(owner: psycopg.Connection[Any], jobs: int, seed: int) -> list[Row]:
    """The log of a data set, which is then forgotten."""
    with owner.transaction(force_rollback=True):
        events = dataset.grow(owner, jobs, seed)
        head = owner.execute("SELECT position FROM ledger.head").fetchone()
        with owner.cursor(row_factory=class_row(Row)) as cursor:
            names = ", ".join(field.name for field in fields(Row))
            query = f"SELECT {names} FROM ledger.stored_events ORDER BY notification_id"
            log = cursor.execute(query.encode()).fetchall()
    assert head == (events,)
    assert [row.notification_id for row in log] == list(range(1, events + 1))
    return log


def test_a_data_set_is_what_its_seed_says_and_the_product_could_have_written_it(
    database: str,
) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        log = log_of(owner, 3_000, seed=3)
        assert log_of(owner, 200, seed=3) == log_of(owner, 200, seed=3)
        assert log_of(owner, 200, seed=3) != log_of(owner, 200, seed=4)
    assert len({row.project for row in log}) > 8
    assert max(row.originator_version for row in log) > dataset.LONG_EVENTS
    jobs: dict[UUID, Job] = {}
    for row in log:
        recorded = decode(row)
        assert encode(recorded.event, recorded.envelope) == row.state
        job = jobs.get(row.originator_id)
        assert row.originator_version == (job.version if job else 0) + 1
        command = Command(row.originator_id, recorded.event, recorded.envelope)
        assert decide(job, command, row.recorded_at) == (recorded.event,)
        jobs[row.originator_id] = evolve(job, recorded)
    assert len(jobs) == 3_000


def test_the_jobs_are_vacuumed_often_enough_to_be_walked_by_index(ground: Ground) -> None:
    """By default a fifth of the table may have changed before its pages are known to be seen whole, and a walk reads every row on those."""
    with scene_on(ground, "4M") as scene:
        found = scene.owner.execute(
            "SELECT unnest(reloptions) FROM pg_class WHERE relname = 'jobs_v1'"
        ).fetchall()
    for name in ("autovacuum_vacuum_scale_factor", "autovacuum_vacuum_insert_scale_factor"):
        assert (f"{name}=0.05",) in found
