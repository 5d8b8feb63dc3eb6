"""Rivals: of several filters that counters count, the index of that one is walked that leaves the fewest jobs, by a plan that is kept.

Invariants: plans are those of 20,000 jobs, most of them of one type and in one state; no test looks at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer
from psycopg.sql import SQL, Identifier, Literal

from ledger import embedded
from ledger.connection import Role, conninfo
from ledger.past import AsOf
from projections import query, rivals, statement
from projections.filters import Sort
from projections.job_counts import JOB_COUNTS
from projections.question import After, Offset, Query
from projections.walk import walks
from tests.fix_explain import nodes_of
from tests.fix_jobs import A, B, fold
from tests.fix_questions import Asker
from tests.projections.test_statement import condition, indexes, of_jobs, planner
from tests.projections.test_statement_kept import kept

__all__ = ["planner"]

NEWEST = (Sort("created", descending=True),)
WORDS = {
    "state": ("Failed", "Queued", "Succeeded"),
    "type": ("Rare", "VirtualServer"),
    "command": ("Command1", "Command3"),
}
ASKED = [
    tuple(zip(names, words, strict=True))
    for count in (2, 3)
    for names in combinations(WORDS, count)
    for words in product(*(WORDS[name] for name in names))
]

COUNT = """
INSERT INTO projections.{}
SELECT project, 0, 0, type, coalesce(command, ''), 0, true, 0, count(*) FILTER (WHERE state = 'Queued'), 0,
       count(*) FILTER (WHERE state = 'Succeeded'), count(*) FILTER (WHERE state = 'Failed'), 0
FROM projections.jobs GROUP BY project, type, coalesce(command, '')
"""


@pytest.fixture(scope="module")
def counted(planner: Connection[Any], postgres: embedded.Server) -> Connection[Any]:
    """The same with counters of its jobs."""
    dsn = postgres.dsn(planner.info.dbname)
    with psycopg.connect(conninfo(dsn, Role.PROJECTOR), autocommit=True) as projector:
        projector.execute(SQL(COUNT).format(Identifier(JOB_COUNTS.table)))
    return planner


@contextmanager
def walking(planner: Connection[Any]) -> Iterator[None]:
    """As a statement is read that keeps its plan."""
    with planner.transaction(force_rollback=True):
        planner.execute("SET LOCAL enable_seqscan = off")
        yield


def begun(counted: Connection[Any], asked: Query) -> list[dict[str, Any]]:
    """What of the plan that is kept for a question was begun when it was asked."""
    text, values = statement.gathered(asked, ("said",))
    spoken = PostgresQuery(Transformer(counted))
    spoken.convert(text, {name: str(value) for name, value in values.items()} | {"sight": "{big}"})
    given = [Literal(bytes(one or b"").decode()) for one in spoken.params or ()]
    with walking(counted):
        counted.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        counted.execute(b"PREPARE kept AS " + spoken.query)
        row = counted.execute(
            SQL("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE kept({})").format(SQL(", ").join(given))
        ).fetchone()
        counted.execute("DEALLOCATE kept")
    assert row is not None
    return [node for node in nodes_of(row[0][0]["Plan"]) if node["Actual Loops"]]


def jobs_of(counted: Connection[Any], name: str, word: str) -> int:
    text = SQL("SELECT count(*) FROM projections.jobs WHERE project = 'big' AND {} = %s")
    with counted.transaction(force_rollback=True):
        counted.execute("SELECT set_config('ledger.projects', '{big}', true)")
        row = counted.execute(text.format(Identifier(name)), (word,)).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("words", ASKED, ids=str)
def test_the_fewest_are_walked(
    counted: Connection[Any], words: tuple[tuple[str, str], ...]
) -> None:
    jobs = {name: jobs_of(counted, name, word) for name, word in words}
    for asked in both(words):
        [name] = indexes(of_jobs(begun(counted, asked)))
        walked = name.removeprefix("project_").removesuffix("_created_at_number")
        assert jobs[walked] == min(jobs.values())


@pytest.mark.parametrize("words", ASKED, ids=str)
def test_the_plan_that_is_kept_walks_in_order(
    planner: Connection[Any], words: tuple[tuple[str, str], ...]
) -> None:
    """One index for each, once for the page and once for a total that counters do not tell, and nothing is read through or sorted."""
    for asked in both(words):
        assert rivals.compete(asked)
        # A walk may be long, and the connections that walk are for what takes no time.
        assert not walks(asked)
        with walking(planner):
            nodes = kept(planner, asked)
        assert indexes(nodes) == {f"project_{name}_created_at_number" for name, _ in words}
        backwards = [one for one in of_jobs(nodes) if one.get("Scan Direction") == "Backward"]
        assert (len(indexes(backwards)), len(of_jobs(nodes))) == (len(words), 2 * len(words))
        assert not {one["Node Type"] for one in nodes} & {"Sort", "BitmapAnd"}
        assert not [one for one in of_jobs(nodes) if one["Node Type"] == "Seq Scan"]


def both(words: tuple[tuple[str, str], ...]) -> tuple[Query, Query]:
    """The first page of a question, and one behind a cursor."""
    asked = Query("big", tuple(condition(*one) for one in words), NEWEST, total=True)
    return asked, replace(asked, window=After(("2024-01-10T00:00:00Z",), 12_960))


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_they_are_what_the_log_says(lagging: Asker, lag: int) -> None:
    """Also while counters lag behind the jobs."""
    fold(lagging.ledger, job_counts=len(lagging.ledger.log) // (lag + 1))
    found = 0
    mine = [job for job in lagging.jobs if job.project == A]
    for names in (("state", "type"), ("state", "command"), ("type", "command"), tuple(WORDS)):
        for words in {tuple(getattr(job, name) for name in names) for job in mine}:
            if None in words:
                continue
            conditions = tuple(map(condition, names, words))
            for descending in (False, True):
                asked = Query(A, conditions, (Sort("created", descending),), limit=1, total=True)
                assert rivals.compete(asked)
                expected = lagging.expected(asked)
                page = lagging.find(asked)
                while True:
                    assert (page.jobs, page.total) == (expected[:1], len(lagging.expected(asked)))
                    expected = expected[1:]
                    if page.after is None:
                        break
                    page = lagging.find(replace(asked, window=page.after))
                    found += 1
                assert not expected
    assert found > 10


def test_the_wall_stands(asker: Asker) -> None:
    """Seen red where the statement set the sight to the project that it is asked of."""
    mine = next(job for job in asker.jobs if job.project == A)
    conditions = (condition("state", mine.state), condition("type", mine.type))
    asked = Query(A, conditions, NEWEST, total=True)
    assert asker.find(asked).total
    page = asker.run(query.find(asker.connection, asked, (B,)))
    assert (page.jobs, page.total) == ((), 0)


@pytest.fixture
def lagging(asker: Asker) -> Iterator[Asker]:
    yield asker
    fold(asker.ledger)


def test_others_do_not_compete() -> None:
    state, kind = condition("state", "Failed"), condition("type", "Rare")
    asked = Query("big", (state, kind), NEWEST, total=True)
    assert rivals.compete(asked)
    for other in (
        replace(asked, total=False),
        replace(asked, as_of=AsOf(7)),
        replace(asked, sort=(Sort("updated"),)),
        replace(asked, sort=(Sort("created"), Sort("updated"))),
        replace(asked, window=Offset(1)),
        replace(asked, conditions=(kind,)),
        replace(asked, conditions=(kind, condition("type", "Other"))),
        replace(asked, conditions=(kind, condition("state", "Failed", "Queued"))),
        replace(asked, conditions=(kind, condition("owner", "alma"))),
        replace(asked, conditions=(kind, condition("created_from", "2024-01-14"))),
    ):
        assert not rivals.compete(other)
