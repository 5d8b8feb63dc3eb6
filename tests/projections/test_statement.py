"""Statements: which index PostgreSQL walks for every filter in every order, and that the text of a statement never depends on a value.

Invariants: plans are those of 20,000 jobs, most of them in one project and in one state, after ANALYZE; no test looks at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from ledger import embedded
from ledger.connection import Role, conninfo
from projections import PROJECTIONS, statement
from projections.build import Build
from projections.filters import FILTERS, SORTS, Condition, Filter, Sort
from projections.question import After, Offset, Query
from projections.tracking import Positions
from tests.fix_explain import nodes_of
from tests.fix_postgres import cloned

NEWEST = (Sort("created", descending=True),)
LIMIT = 50
ORDERS = [(Sort(name, descending),) for name in SORTS for descending in (False, True)]

FILL = """
INSERT INTO projections.jobs_v1 (id, project, number, type, command, object, owner, request_id, source_id, state, final,
  version, position, attempts, progress, error_count, messages, items_succeeded, items_failed, description, detail,
  created_at, updated_at, failures)
SELECT md5(n::text)::uuid, CASE WHEN n % 20 = 0 THEN 'small' ELSE 'big' END, n,
       CASE n % 11 WHEN 0 THEN 'Rare' ELSE 'VirtualServer' END, CASE WHEN n % 3 > 0 THEN 'Command' || n % 5 END,
       'object ' || n % 2000, 'owner ' || n % 97, 'request ' || n, CASE WHEN n % 2 = 0 THEN 'source ' || n END,
       CASE WHEN n % 501 = 0 THEN 'Failed' WHEN n % 53 = 0 THEN 'Queued' ELSE 'Succeeded' END, true,
       3, n * 3, 1, 1, 0, '[]', 0, 0, 'What the job is for', json_build_object('image', repeat('x', 200)),
       timestamptz '2024-01-01Z' + n * interval '1 minute',
       timestamptz '2024-01-02Z' + (n * 7919 % 20000) * interval '1 minute', 2
FROM generate_series(1, 20000) n
"""

VALUES: dict[str, tuple[str, ...]] = {
    "state": ("Failed", "Succeeded"),
    "outcome": ("Retrying", "Exhausted"),
    "phase": ("in-progress", "failed"),
    "type": ("Rare", "VirtualServer"),
    "command": ("Command1",),
    "object": ("object 77",),
    "owner": ("owner 5",),
    "request_id": ("request 777",),
    "number": ("777",),
    "source_id": ("source 778",),
    "id": (str(UUID("f1c1592588411002af340cbaedd6fc33")),),
    "created_from": ("2024-01-14",),
    "created_to": ("2024-01-02",),
    "updated_from": ("2024-01-15",),
    "updated_to": ("2024-01-03",),
}
COMMON = {"Succeeded", "VirtualServer"}  # what nearly all jobs have
ASKED = [(name, word) for name, words in VALUES.items() for word in words]


@pytest.fixture(scope="module")
def planner(
    postgres: embedded.Server, postgres_admin: psycopg.Connection, template_database: str
) -> Iterator[Connection[Any]]:
    """A connection of the reader's role to a database whose read models are filled, but not from a log."""
    with cloned(postgres, postgres_admin, template_database) as dsn:
        fill(dsn)
        with psycopg.connect(conninfo(dsn, Role.READER), autocommit=True) as connection:
            yield connection


def fill(dsn: str) -> None:
    with psycopg.connect(conninfo(dsn, Role.PROJECTOR), autocommit=True) as connection:
        for projection in PROJECTIONS:
            build = Build(projection, projection.table, Positions(dsn))
            build.create(connection)
            with connection.transaction():
                build.show(connection)
        connection.execute(FILL)
    with psycopg.connect(dsn, autocommit=True) as connection:
        # Index-only scans need to know which pages everybody sees.
        connection.execute("VACUUM ANALYZE projections.jobs_v1")


def plan(planner: Connection[Any], asked: Query) -> list[dict[str, Any]]:
    """All nodes of the plan for a question, from the top."""
    text, values = statement.gathered(asked, ("said",))
    values["sight"] = "{big,small}"
    row = planner.execute(b"EXPLAIN (FORMAT JSON) " + text, values).fetchone()
    assert row is not None
    return nodes_of(row[0][0]["Plan"])


def of_jobs(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [node for node in nodes if node.get("Relation Name") == "jobs_v1"]


def indexes(nodes: list[dict[str, Any]]) -> set[str]:
    """The indexes walked, by the names that FILTERS has for them."""
    names = [str(node["Index Name"]) for node in nodes if "Index Name" in node]
    mine = [name for name in names if name.startswith("jobs_v1_")]
    return {name.removeprefix("jobs_v1_").removesuffix("_idx") for name in mine}


def condition(name: str, *words: str) -> Condition:
    row = FILTERS[name]
    return Condition(row, tuple(row.parse(word) for word in words))


def sorts_more_than_a_page(nodes: list[dict[str, Any]]) -> bool:
    return any(node["Node Type"] == "Sort" and node["Plan Rows"] > LIMIT + 1 for node in nodes)


@pytest.mark.parametrize("row", [*FILTERS.values(), *SORTS.values()], ids=lambda row: row.name)
def test_the_named_index_exists(planner: Connection[Any], row: Filter) -> None:
    rows = planner.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'jobs_v1'"
    ).fetchall()
    names = {name.removeprefix("jobs_v1_").removesuffix("_idx") for (name,) in rows}
    assert row.index in names


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize(("name", "word"), ASKED)
@pytest.mark.parametrize("project", ["big", "small"])
def test_no_filter_in_any_order_reads_the_whole_table(
    planner: Connection[Any], project: str, name: str, word: str, order: tuple[Sort, ...]
) -> None:
    nodes = plan(planner, Query(project, (condition(name, word),), order, limit=LIMIT, total=True))
    assert of_jobs(nodes)
    assert "Seq Scan" not in {node["Node Type"] for node in of_jobs(nodes)}


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_an_order_is_walked_on_its_index(planner: Connection[Any], order: tuple[Sort, ...]) -> None:
    (key,) = (SORTS[one.column] for one in order)
    values = {"created": "2024-01-10T00:00:00Z", "updated": "2024-01-10T00:00:00Z", "number": "777"}
    values |= {"phase": "completed", "id": VALUES["id"][0]}
    after = After((values.get(key.name, "Succeeded"),), 777)
    for window in (Offset(0), after):
        nodes = plan(planner, Query("big", sort=order, window=window, limit=LIMIT))
        assert indexes(nodes) - {"project_number"} == {key.index} - {"project_number"}
        assert "Seq Scan" not in {node["Node Type"] for node in of_jobs(nodes)}
        assert not sorts_more_than_a_page(nodes)


@pytest.mark.parametrize(("name", "word"), ASKED)
def test_a_filter_alone_is_served_by_its_index_newest_first(
    planner: Connection[Any], name: str, word: str
) -> None:
    nodes = plan(planner, Query("big", (condition(name, word),), NEWEST, limit=LIMIT))
    if FILTERS[name].column == "updated_at" or word in COMMON:
        # Two columns pull two ways here: PostgreSQL chooses by how many jobs the filter leaves.
        assert indexes(nodes) <= {FILTERS[name].index, SORTS["created"].index}
    else:
        assert indexes(nodes) == {FILTERS[name].index}
        assert not sorts_more_than_a_page(nodes)


@pytest.mark.parametrize("order", [NEWEST, (Sort("created"),)], ids=str)
def test_a_few_values_are_merged_without_reading_more_than_the_window(
    planner: Connection[Any], order: tuple[Sort, ...]
) -> None:
    states = condition("state", "Queued", "Failed", "Processing", "Failed")
    for window in (Offset(0), Offset(5_000), After(("2024-01-10T00:00:00Z",), 777)):
        nodes = plan(planner, Query("big", (states,), order, window, LIMIT))
        assert "Merge Append" in {node["Node Type"] for node in nodes}
        assert not sorts_more_than_a_page(nodes)
        state = {FILTERS["state"].index}
        assert indexes(nodes) - {"project_number"} == state


def test_a_far_window_walks_the_index_alone(planner: Connection[Any]) -> None:
    nodes = plan(planner, Query("big", sort=NEWEST, window=Offset(10_000), limit=LIMIT))
    walks = [node for node in of_jobs(nodes) if node["Node Type"] == "Index Only Scan"]
    assert [node["Index Name"] for node in walks] == ["jobs_v1_project_created_at_number_idx"]
    reads = [node for node in of_jobs(nodes) if node["Node Type"] != "Index Only Scan"]
    assert [node["Index Name"] for node in reads] == ["jobs_v1_project_number_idx"]


def test_a_total_by_state_type_and_command_counts_no_jobs(planner: Connection[Any]) -> None:
    counted = (condition("state", "Failed"), condition("type", "Rare"), condition("command", "x"))
    for conditions in ((), counted):
        nodes = plan(planner, Query("big", conditions, NEWEST, total=True))
        assert any(str(node.get("Relation Name")).startswith("job_counts_v") for node in nodes)
    nodes = plan(planner, Query("big", (condition("owner", "x"),), NEWEST, total=True))
    assert "job_counts_v4" not in {node.get("Relation Name") for node in nodes}


def test_values_are_no_part_of_the_text() -> None:
    hostile = "x'; DROP TABLE projections.jobs_v1; -- %s %(project)s {} \\ 😀"
    texts = set()
    for word in ("plain", hostile):
        conditions = tuple(condition(name, word) for name in ("type", "owner", "object"))
        after = After((word, "2024-01-10T00:00:00Z"), 1)
        sort = (Sort("type"), Sort("created"))
        texts.add(statement.gathered(Query(word, conditions, sort, after, total=True))[0])
    assert len(texts) == 1
    assert b"DROP" not in texts.pop()
