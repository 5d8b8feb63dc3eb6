"""What every filter in every order costs, on a data set small enough for a test; `./scripts/plans` does it with a million jobs.

Invariants: rows that were looked at are counted, no time. Seen red without the index on the owner, and without the one on the last change."""

from __future__ import annotations

import pytest

from ledger import embedded
from projections.filters import FILTERS, SORTS
from scripts.benchmarks import dataset, plans
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


def test_a_data_set_is_the_same_each_time() -> None:
    assert list(dataset.rows(200, seed=3)) == list(dataset.rows(200, seed=3))
    assert list(dataset.rows(200, seed=3)) != list(dataset.rows(200, seed=4))
    log = list(dataset.rows(2_000))
    assert [row.notification_id for row in log] == list(range(1, len(log) + 1))
    assert len({row.project for row in log}) > 8
    assert max(row.originator_version for row in log) > dataset.LONG_EVENTS or len(log) < 10_000


def test_the_jobs_are_vacuumed_often_enough_to_be_walked_by_index(ground: Ground) -> None:
    """By default a fifth of the table may have changed before its pages are known to be seen whole, and a walk reads every row on those."""
    with scene_on(ground) as scene:
        scene.grown  # noqa: B018 - touched, so that the table is there
        found = scene.owner.execute(
            "SELECT unnest(reloptions) FROM pg_class WHERE relname = 'jobs_v1'"
        ).fetchall()
    for name in ("autovacuum_vacuum_scale_factor", "autovacuum_vacuum_insert_scale_factor"):
        assert (f"{name}=0.05",) in found
