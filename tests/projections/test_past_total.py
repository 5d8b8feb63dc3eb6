"""Totals of the past behind a range of creation times: what they read, and that their plan is kept.

Invariants: no test looks at a time. Seen red: with a range and a state counted job by job, as they once were."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection

from ledger import events, settings, store
from ledger.events import Event, Recorded
from ledger.past import AsOf
from ledger.sight import rows
from projections import past_statement, query
from projections.filters import FILTERS, Condition, Sort
from projections.question import Query
from projections.walk import walks, walks_back
from tests.fix_explain import ANALYZED, looked_at
from tests.fix_log import forger, projector, record, shown
from tests.fix_questions import connected
from tests.histories import ANN, CREATED, START
from tests.projections.test_statement import of_jobs, planner
from tests.projections.test_statement_kept import ONE, PLAIN, kept_of, within

__all__ = ["planner"]

JOBS = 400
LONG = (10, 60, 190)
STRETCH = 16
# Of jobs and of what became of them: half of five minutes at each end, what changed in a stretch, and a page.
READ_MAX = 2 * 2 * 3 + 4 * STRETCH + 20
MINUTE = timedelta(minutes=1)
STATE = Condition(FILTERS["state"], ("Queued",))


@pytest.mark.parametrize("conditions", [(), (STATE,)], ids=["all", "state"])
def test_its_plan_is_kept(planner: Connection[Any], conditions: tuple[Condition, ...]) -> None:
    """Spans of now by their index and those of then by the primary key, the jobs of the ends by their creation times, all else by keys."""
    asked = within(replace(PLAIN[0], conditions=conditions))
    asked = replace(asked, total=True, as_of=AsOf(30_000))
    assert asked.as_of is not None
    assert walks_back(asked)
    nodes = kept_of(planner, past_statement.gathered(asked, asked.as_of, ("said",)))
    through = [one["Relation Name"] for one in nodes if one["Node Type"] == "Seq Scan"]
    assert not [name for name in through if "job" in name or "events" in name]
    then, now = sorted(
        (one for one in nodes if str(one.get("Index Name")).startswith("job_counts")),
        key=lambda one: not str(one["Index Name"]).endswith("_pkey"),
    )
    assert then["Index Name"].endswith("_pkey")
    assert "(upto <= " in then["Index Cond"]
    assert not now["Index Name"].endswith("_pkey")
    assert "span_upto" in now["Index Cond"]
    [end] = [one for one in of_jobs(nodes) if "since" in one.get("Index Cond", "")]
    assert "until" in end["Index Cond"]


def test_it_keeps_nobody_waiting() -> None:
    """The few connections that keep plans are for what takes no time."""
    asked = replace(PLAIN[0], as_of=AsOf(30_000))
    for one in (asked, within(asked), within(replace(ONE[0], as_of=AsOf(30_000)))):
        assert walks(replace(one, total=True)) is walks(one)


@pytest.mark.parametrize("mixed", [0, 1, JOBS], ids=["in order", "but for one", "in none"])
def test_it_reads_no_more_jobs_for_a_longer_range(
    database: str, mixed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One job a minute, whatever the order in which they came, with a state and without."""
    monkeypatch.setattr(settings, "COUNTS_STRETCH", STRETCH)
    minutes = list(range(JOBS))
    for nth in range(mixed):
        minutes.insert(random.Random(nth).randrange(JOBS), minutes.pop(-1))
    log = [one for nth, minute in enumerate(minutes) for one in _life(nth, START + minute * MINUTE)]
    with forger(database) as forging, projector(database) as folding, asyncio.Runner() as runner:
        reader = runner.run(connected(database))
        record(forging, log)
        shown(folding, database, len(log))
        forging.execute("ANALYZE")
        for conditions in ((), (STATE,)):
            for long in LONG:
                told = runner.run(_read(reader, conditions, minutes, long))
                assert told < READ_MAX, (conditions, long)
        runner.run(reader.close())


def _life(nth: int, moment: datetime) -> list[Recorded]:
    said: list[Event] = [
        CREATED.model_copy(update={"created_at": moment, "number": nth + 1}),
        *((events.Queued(),) if nth % 2 else ()),
        *((events.Noted(),) * (1 - nth % 2)),
    ]
    return [
        Recorded(
            2 * nth + version, UUID(int=2 * nth + version), UUID(int=nth), version, START, ANN, one
        )
        for version, one in enumerate(said, start=1)
    ]


async def _read(
    reader: store.Connection, conditions: tuple[Condition, ...], minutes: list[int], long: int
) -> int:
    """How many rows of jobs, of what became of them and of the log it takes to tell how many were created in so many minutes, of those that there
    were just behind half of the log."""
    bounds = zip(("created_from", "created_to"), (10, 10 + long), strict=True)
    ranged = (Condition(FILTERS[name], (START + minute * MINUTE,)) for name, minute in bounds)
    then = AsOf(JOBS + 7)
    asked = Query(
        "demo", (*conditions, *ranged), (Sort("created"),), limit=1, total=True, as_of=then
    )
    there = minutes[: then.position // 2 + 1]
    matching = [nth for nth, minute in enumerate(there) if 10 <= minute <= 10 + long]
    if conditions:
        matching = [nth for nth in matching if nth % 2 and 2 * nth + 2 <= then.position]
    assert (await query.find(reader, asked)).total == len(matching)
    text, values = past_statement.gathered(asked, then)
    [(told,)] = await rows(reader, ("demo",), ANALYZED + text, values)
    return looked_at(told, "jobs_", "job_revisions_", "job_states_", "stored_").most
