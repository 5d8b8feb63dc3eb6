"""Totals of the past behind a range of creation times: what they read, and that their plan is kept.

Invariants: no test looks at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection

from ledger import store
from ledger.events import Recorded
from ledger.past import AsOf
from ledger.sight import rows
from projections import past_statement, query
from projections.filters import FILTERS, Condition, Sort
from projections.question import Query
from projections.walk import walks, walks_back
from tests.fix_log import builds, forger, projector, record
from tests.fix_questions import connected
from tests.histories import ANN, CREATED, START
from tests.projections.test_statement import nodes_of, of_jobs, planner
from tests.projections.test_statement_kept import PLAIN, kept_of, within

__all__ = ["planner"]

JOBS = 400
LONG = (2, 50, 90)
ENDS = 2 * 5  # jobs in the shortest span at each bound
MINUTE = timedelta(minutes=1)


def test_its_plan_is_kept(planner: Connection[Any]) -> None:
    """Spans by the primary key, ends by the index of creation times alone, creations by their keys."""
    asked = replace(within(PLAIN[0]), total=True, as_of=AsOf(30_000))
    assert asked.as_of is not None
    assert walks_back(asked)
    nodes = kept_of(planner, past_statement.gathered(asked, asked.as_of, ("said",)))
    through = [one["Relation Name"] for one in nodes if one["Node Type"] == "Seq Scan"]
    assert not [name for name in through if "job" in name]
    [spans] = [one for one in nodes if str(one.get("Index Name")).startswith("job_counts")]
    assert "upto" in spans["Index Cond"]
    [end] = [one for one in of_jobs(nodes) if one["Node Type"] == "Index Only Scan"]
    assert "since" in end["Index Cond"]


def test_it_may_count_and_keeps_nobody_waiting() -> None:
    """The few connections that keep plans are for what takes no time."""
    asked = replace(PLAIN[0], as_of=AsOf(30_000))
    assert walks(replace(asked, total=True))
    assert walks(within(asked))
    assert not walks(replace(within(asked), total=True))


def test_it_reads_no_more_jobs_for_a_longer_range_while_they_come_in_order(
    database: str,
) -> None:
    """One job a minute; then one that was created long before the others, so that nothing but a count tells how many there were."""
    log = [_born(nth, START + nth * MINUTE) for nth in range(1, JOBS + 1)]
    late = _born(JOBS + 1, START - MINUTE)
    with forger(database) as forging, projector(database) as folding, asyncio.Runner() as runner:
        reader = runner.run(connected(database))
        record(forging, log)
        for build in builds(database):
            build.create(folding)
            with folding.transaction():
                build.show(folding)
            build.advance(folding, 0, JOBS)
        few = [runner.run(_read(reader, minutes)) for minutes in LONG]
        record(forging, [late])
        for build in builds(database):
            build.advance(folding, JOBS, JOBS + 1)
        many = [runner.run(_read(reader, minutes)) for minutes in LONG]
        runner.run(reader.close())
    assert max(few) < ENDS + 20
    assert [read > minutes for read, minutes in zip(many, LONG, strict=True)] == [True] * 3


def _born(nth: int, moment: datetime) -> Recorded:
    event = CREATED.model_copy(update={"created_at": moment, "number": nth})
    return Recorded(nth, UUID(int=nth), UUID(int=nth), 1, START, ANN, event)


async def _read(reader: store.Connection, minutes: int) -> int:
    """How many rows of jobs and their revisions it takes to tell how many were created in so many minutes, of those that there were at half."""
    since = START + 100 * MINUTE
    bounds = zip(("created_from", "created_to"), (since, since + minutes * MINUTE), strict=True)
    conditions = tuple(Condition(FILTERS[name], (moment,)) for name, moment in bounds)
    then = AsOf(JOBS // 2)
    asked = Query("demo", conditions, (Sort("created"),), limit=1, total=True, as_of=then)
    assert (await query.find(reader, asked)).total == minutes + 1
    text, values = past_statement.gathered(asked, then)
    explain = b"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + text
    [(told,)] = await rows(reader, ("demo",), explain, values)
    read = [
        one["Actual Rows"] * one["Actual Loops"]
        for one in nodes_of(told[0]["Plan"])
        if one.get("Relation Name", "").startswith(("jobs_", "job_revisions_"))
    ]
    return int(sum(read))
