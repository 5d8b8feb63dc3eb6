"""The law of totals: behind any range of creation times, by any filters, a total from counted spans is the number of the jobs that match.

Invariants: what to expect is counted from jobs folded by ledger.job; times lie on the borders of spans and beside them, many are the same, and
some are at the ends of the calendar. Seen red: spans that end where they begin, jobs
that stood before the fold left out or taken from the state they came to, and a state taken for whole of which a part was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from psycopg import Connection

from ledger import events
from ledger.events import Recorded
from ledger.job import Job, Outcome, State, evolve
from projections import query, total
from projections.build import Build
from projections.filters import FILTERS, Condition
from projections.job_counts import JOB_COUNTS
from projections.jobs import JOBS
from projections.projection import Projection
from projections.question import Query
from projections.tracking import Positions
from tests.fix_log import LIVES, forger, projector, record, wipe
from tests.fix_questions import connected, matches
from tests.histories import START
from tests.laws.test_folds import logs

SPANS_S = (4, 12, 48, 96)
MICROSECOND = timedelta(microseconds=1)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SOME = effort(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

seconds = st.integers(-100, 200) | st.sampled_from([4 * nth for nth in range(-5, 30)])
places = st.builds(
    lambda second, shift: START + timedelta(seconds=second) + shift * MICROSECOND,
    seconds,
    st.sampled_from([-1, 0, 0, 1, 1_999_999, 2_000_000]),
)
moments = places | st.sampled_from([FIRST, LAST, START])


@dataclass
class Counters:
    """Jobs and their counters, on a log that changes from example to example."""

    forger: Connection[Any]
    projector: Connection[Any]
    builds: tuple[Build, ...]
    runner: asyncio.Runner
    reader: Any

    def begin(self, log: list[Recorded]) -> None:
        wipe(self.forger)
        record(self.forger, log)
        for build in self.builds:
            build.create(self.projector)
            with self.projector.transaction():
                build.show(self.projector)

    def total(self, asked: Query) -> int | None:
        async def found() -> int | None:
            return (await query.find(self.reader, asked)).total

        return self.runner.run(found())


@pytest.fixture
def counters(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counters]:
    # What totals are asked from.
    yield from counting(database, monkeypatch, (JOBS, JOB_COUNTS))


def counting(
    database: str, monkeypatch: pytest.MonkeyPatch, projections: Sequence[Projection]
) -> Iterator[Counters]:
    """A ledger with these read models, and short spans."""
    monkeypatch.setattr("projections.spans.SPANS_S", SPANS_S)
    positions = Positions(database)
    builds = tuple(Build(one, one.table, positions) for one in projections)
    with forger(database) as forging, projector(database) as folding, asyncio.Runner() as runner:
        reader = runner.run(connected(database))
        yield Counters(forging, folding, builds, runner, reader)
        runner.run(reader.close())


@st.composite
def dated(draw: st.DrawFn) -> list[Recorded]:
    """A log whose jobs were created near one another and at the ends of the calendar, of few types."""
    return [
        one._replace(
            event=one.event.model_copy(
                update={
                    "created_at": draw(moments),
                    "type": draw(st.sampled_from(["VirtualServer", "IPAddress"])),
                }
            ),
        )
        if isinstance(one.event, events.Created)
        else one
        for one in draw(logs())
    ]


@st.composite
def ranges(draw: st.DrawFn, times: st.SearchStrategy[datetime] = moments) -> tuple[Condition, ...]:
    """Bounds, at least one; and filters beside them, most of them such as the spans know."""
    bounds = st.lists(times, min_size=1, max_size=2)
    names = draw(
        st.sampled_from([("created_from",), ("created_to",), ("created_from", "created_to")])
    )
    found = [Condition(FILTERS[name], tuple(draw(bounds))) for name in names]
    asked: dict[str, st.SearchStrategy[Any]] = {
        "state": st.sampled_from([one.value for one in State]),
        "outcome": st.sampled_from([one.value for one in Outcome]),
        "phase": st.sampled_from(["acknowledged", "completed", "failed"]),
        "type": st.sampled_from(["VirtualServer", "IPAddress", "none"]),
    }
    for name in draw(st.lists(st.sampled_from(list(asked)), max_size=2)):
        values = draw(st.lists(asked[name], min_size=1, max_size=6))
        found.append(Condition(FILTERS[name], tuple(values)))
    return tuple(draw(st.permutations(found)))


def jobs_of(log: list[Recorded]) -> list[Job]:
    jobs: dict[Any, Job] = {}
    for one in log:
        jobs[one.job_id] = evolve(jobs.get(one.job_id), one)
    return list(jobs.values())


@SOME
@given(
    log=dated().filter(bool),
    asked=st.lists(ranges(), min_size=6, max_size=6),
    cuts=st.sets(st.integers(1, 48), max_size=4),
)
def test_a_total_behind_a_range_is_a_count(
    counters: Counters, log: list[Recorded], asked: list[tuple[Condition, ...]], cuts: set[int]
) -> None:
    counters.begin(log)
    start = 0
    for to in sorted({cut for cut in cuts if cut < len(log)} | {len(log)}):
        for build in counters.builds:
            build.advance(counters.projector, start, to)
        start = to
        jobs = jobs_of(log[:to])
        for conditions in asked:
            for project in ("demo", "über %s {}"):
                expected = sum(
                    job.project == project and all(matches(job, one) for one in conditions)
                    for job in jobs
                )
                found = counters.total(Query(project, conditions, limit=1, total=True))
                assert found == expected


def test_it_is_the_spans_that_are_asked(counters: Counters) -> None:
    """A law that counts would hold as well: counters that were tampered with must show."""
    bound = Condition(FILTERS["created_from"], (START - timedelta(days=1),))
    counters.begin(LIVES)
    for build in counters.builds:
        build.advance(counters.projector, 0, len(LIVES))
    assert counters.total(Query("demo", (bound,), total=True)) == 2
    counters.projector.execute(
        "UPDATE projections.job_counts_v4 SET queued = 5 WHERE span_s > 0 AND latest"
    )
    assert total.way((bound,)) == "spans"
    assert (counters.total(Query("demo", (bound,), total=True)) or 0) > 2
