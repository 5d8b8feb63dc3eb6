"""The plans of lists that are kept: each walks the one index that its order needs, whatever the values, and sorts no more than its page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import Connection
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer

from ledger import settings
from projections import statement, walk
from projections.filters import FILTERS, Condition, Sort
from projections.question import After, Offset, Query
from projections.walk import walks
from tests.fix_explain import nodes_of
from tests.projections.test_statement import LIMIT, indexes, of_jobs, planner

__all__ = ["planner"]

LEADING = [row for row in FILTERS.values() if row.column in statement.LEADING]
PLAIN = [
    Query("big", (), (Sort(name, True),), limit=LIMIT) for name in ("created", "updated", "number")
]
ONE = [
    Query("big", (Condition(row, ("x",)),), (Sort("created", True),), limit=LIMIT)
    for row in LEADING
]


def behind(asked: Query) -> Query:
    word = "7" if asked.sort[0].column == "number" else "2024-05-30T05:13:26Z"
    return replace(asked, window=After((word,), 7))


def within(asked: Query) -> Query:
    """The same in a range of creation times."""
    bounds = (
        Condition(FILTERS[name], (datetime(2024, 1, day, tzinfo=UTC),))
        for name, day in (("created_from", 2), ("created_to", 9))
    )
    return replace(asked, conditions=(*asked.conditions, *bounds))


RANGES = [within(one) for one in (PLAIN[0], *ONE)]
ASKED = [*PLAIN, *ONE, *RANGES, *map(behind, [*PLAIN, *ONE, *RANGES])]


@pytest.mark.parametrize("asked", ASKED, ids=range(len(ASKED)))
def test_it_walks_one_index(planner: Connection[Any], asked: Query) -> None:
    assert walks(asked)
    nodes = kept(planner, asked)
    filters = [one.filter for one in asked.conditions if one.filter.operator == "in"]
    column = filters[0].index if filters else None
    sorted_by = {"created": "created_at", "updated": "updated_at"}.get(asked.sort[0].column)
    plain = f"project_{sorted_by}_number" if sorted_by else "project_number"
    assert indexes(nodes) == {column or plain}
    [walk] = of_jobs(nodes)
    assert walk["Node Type"] == "Index Scan"


@pytest.mark.parametrize("asked", [*PLAIN, *ONE], ids=range(len(PLAIN) + len(ONE)))
def test_behind_many_jobs_it_walks_the_index_alone(planner: Connection[Any], asked: Query) -> None:
    """Seen red with a join that the planner may choose: for fear of a tenth of all jobs it made a hash of them."""
    deep = replace(asked, window=Offset(9))
    assert walks(deep)
    walk, row = of_jobs(kept(planner, deep))
    if walk["Node Type"] == "Index Scan":
        walk, row = row, walk
    column = asked.conditions[0].filter.index if asked.conditions else None
    sorted_by = {"created": "created_at", "updated": "updated_at"}.get(asked.sort[0].column)
    plain = f"project_{sorted_by}_number" if sorted_by else "project_number"
    assert (walk["Node Type"], indexes([walk])) == ("Index Only Scan", {column or plain})
    assert (row["Node Type"], indexes([row])) == ("Index Scan", {"project_number"})


def test_far_behind_many_jobs_it_keeps_nobody_waiting() -> None:
    """The few connections that keep plans are for what takes no time."""
    assert walks(replace(PLAIN[0], window=Offset(settings.WALK_OFFSET_MAX)))
    assert not walks(replace(PLAIN[0], window=Offset(settings.WALK_OFFSET_MAX + 1)))


def kept(planner: Connection[Any], asked: Query) -> list[dict[str, Any]]:
    """The nodes of the plan that is kept for a question."""
    text, values = statement.gathered(asked, ("said",))
    return kept_of(planner, (text, {**values, "sight": "{}"}))


def kept_of(
    planner: Connection[Any], asked: tuple[bytes, statement.Parameters]
) -> list[dict[str, Any]]:
    """The same of a statement with its parameters."""
    text, values = asked
    spoken = PostgresQuery(Transformer(planner))
    spoken.convert(text, values)
    with planner.transaction(force_rollback=True):
        for setting in walk.SETTINGS.items():
            planner.execute("SELECT set_config(%s, %s, true)", setting)
        planner.execute(b"PREPARE kept AS " + spoken.query)
        nulls = b", ".join([b"NULL"] * len(spoken.params or ()))
        row = planner.execute(b"EXPLAIN (FORMAT JSON) EXECUTE kept(" + nulls + b")").fetchone()
        planner.execute("DEALLOCATE kept")
    assert row is not None
    return list(nodes_of(row[0][0]["Plan"]))


def test_a_total_of_the_counters_keeps_its_plan_too(planner: Connection[Any]) -> None:
    """Seen red without `walks`: a total was planned anew each time, or not, as PostgreSQL's estimates of both fell out."""
    for asked in (PLAIN[0], replace(ONE[0], conditions=(Condition(FILTERS["state"], ("x",)),))):
        counted = replace(asked, total=True)
        assert walks(counted)
        nodes = kept(planner, counted)
        assert {one["Index Name"] for one in nodes if "job_counts" in one.get("Index Name", "")}
        assert not [
            one for one in nodes if one["Node Type"] == "Seq Scan" and "job" in one["Relation Name"]
        ]
        assert not [one for one in nodes if one["Node Type"].startswith("Bitmap")]


def test_a_total_behind_a_range_keeps_its_plan_too(planner: Connection[Any]) -> None:
    """Each length of spans is a range of the index of the counts of now, each end one of the list's own index, which alone is read."""
    state = Condition(FILTERS["state"], ("x",))
    for asked in (within(PLAIN[0]), within(replace(ONE[0], conditions=(state,)))):
        counted = replace(asked, total=True)
        assert walks(counted)
        nodes = kept(planner, counted)
        assert not [
            one for one in nodes if one["Node Type"] == "Seq Scan" and "job" in one["Relation Name"]
        ]
        [spans] = [one for one in nodes if str(one.get("Index Name")).startswith("job_counts")]
        assert "span_upto" in spans["Index Cond"]
        alone = [one for one in of_jobs(nodes) if one["Node Type"] == "Index Only Scan"]
        assert alone
        assert all("created_at" in one["Index Cond"] for one in alone)


def test_what_does_not_walk_one_index_is_planned_for_its_values() -> None:
    one, several = Condition(LEADING[0], ("x",)), Condition(LEADING[0], ("x", "y"))
    for asked in (
        Query("big", (), (Sort("owner"),)),
        Query("big", (one,), (Sort("updated"),)),
        Query("big", (several,), (Sort("created"),)),
        within(Query("big", (), (Sort("updated"),))),
        within(Query("big", (one, Condition(FILTERS["owner"], ("x",))), (Sort("created"),))),
        Query("big", (one, Condition(FILTERS["owner"], ("x",))), (Sort("created"),)),
        Query("big", (Condition(FILTERS["object"], ("x",)),), (Sort("created"),), total=True),
        Query("big", (Condition(FILTERS["object"], ("x",)),), (Sort("created"), Sort("updated"))),
    ):
        assert not walks(asked)
