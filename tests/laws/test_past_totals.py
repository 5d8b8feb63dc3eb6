"""The law of totals of the past: behind any range of creation times, by any filters, as of any position, a total is the number of the jobs that match
as they were then.

Invariants: what to expect is counted from jobs folded by ledger.job up to the position; stretches are of a few positions; jobs come in the order of
their times but for some, or in none at all; times lie on the borders of spans and beside them, many are the same, and some are at the ends of the
calendar; read models are as far as they like; LEDGER_PAST_EXAMPLES asks for more examples. Seen red: counts of a stretch too early or too late; what
changed since left out, or taken without a look at where the jobs lie, or at the state they were in; an end that is added, not taken away; states that
nobody asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest
from hypothesis import Phase as Trying
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from ledger import events, settings
from ledger.events import Created, Event, Recorded
from ledger.past import AsOf
from projections import PROJECTIONS, past_total
from projections.filters import FILTERS, Condition
from projections.question import Query
from tests.fix_log import LIVES
from tests.fix_questions import matches
from tests.histories import ANN, CREATED, START
from tests.laws.test_totals import (
    FIRST,
    LAST,
    SOME,
    Counters,
    counting,
    jobs_of,
    moments,
    ranges,
)

EXAMPLES = int(os.environ.get("LEDGER_PAST_EXAMPLES", "100"))
# Seconds: more examples take longer, on a busy machine too.
pytestmark = pytest.mark.timeout(300 + 2 * EXAMPLES)
SECOND = timedelta(seconds=1)
PROJECTS = ("demo", "über %s {}")
# How jobs go on when they were created.
GOING_ON: tuple[tuple[Event, ...], ...] = (
    *((), (events.Queued(),), (events.Canceled(),)),
    (events.Queued(), events.Started(), events.Progressed(progress=0.5), events.Succeeded()),
    (events.Started(), events.Failed(final=False), events.Queued(), events.Failed()),
)


@pytest.fixture
def counters(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counters]:
    monkeypatch.setattr(settings, "COUNTS_STRETCH", 4)
    yield from counting(database, monkeypatch, PROJECTIONS)


@st.composite
def logs(draw: st.DrawFn) -> list[Recorded]:
    """Jobs that go on in turns, and came in any order of their times, or in that order but for one."""
    lives = draw(st.lists(st.sampled_from(GOING_ON), min_size=1, max_size=16))
    times = draw(st.lists(moments, min_size=len(lives), max_size=len(lives)))
    if draw(st.booleans()):
        times.sort()
        times.append(times.pop(draw(st.integers(0, len(times) - 1))))
    turns = draw(st.permutations([job for job, life in enumerate(lives) for _ in (None, *life)]))
    coming, versions, log = iter(times), [0] * len(lives), list[Recorded]()
    for position, job in enumerate(turns, start=1):
        event = (
            lives[job][versions[job] - 1]
            if versions[job]
            else CREATED.model_copy(update={"created_at": next(coming), "number": job + 1})
        )
        versions[job] += 1
        envelope = ANN._replace(project=PROJECTS[job % 2])
        told = (UUID(int=position), UUID(int=job), versions[job], START, envelope, event)
        log.append(Recorded(position, *told))
    return log


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Recorded], list[tuple[Condition, ...]]]:
    """A log, and ranges of which many end a moment before or behind a job: in the middle of a span."""
    log = draw(logs())
    born = [one.event.created_at for one in log if isinstance(one.event, Created)]
    near = st.builds(
        lambda moment, shift: min(max(moment, FIRST + SECOND), LAST - SECOND) + shift * SECOND,
        st.sampled_from([moment for moment in born if moment]),
        st.sampled_from([-1, -1 / 2, 0, 1 / 2, 1]),
    )
    return log, draw(st.lists(ranges(near | moments), min_size=4, max_size=4))


def expected(log: list[Recorded], asked: Query) -> int:
    """How many jobs match of those that were there."""
    assert asked.as_of is not None
    there = [one for one in jobs_of(log[: asked.as_of.position]) if one.project == asked.project]
    return sum(all(matches(job, one) for one in asked.conditions) for job in there)


# A smaller example is not worth its builds.
@effort(SOME, max_examples=EXAMPLES, phases=(Trying.explicit, Trying.generate))
@given(
    case=cases(),
    reach=st.lists(st.integers(1, 48), min_size=4, max_size=4),
    positions=st.sets(st.integers(0, 48), min_size=1, max_size=4),
)
def test_a_total_behind_a_range_is_what_a_count_gave_then(
    counters: Counters,
    case: tuple[list[Recorded], list[tuple[Condition, ...]]],
    reach: list[int],
    positions: set[int],
) -> None:
    log, asked = case
    counters.begin(log)
    reach = [min(len(log), to) for to in reach]
    for build, to in zip(counters.builds, reach, strict=True):
        build.advance(counters.projector, 0, to)
    for question in _questions(asked, {to for to in positions if to < min(reach)} | {min(reach)}):
        assert counters.total(question) == expected(log, question)
    for build, start in zip(counters.builds, reach, strict=True):
        if start < len(log):
            build.advance(counters.projector, start, len(log))
    for question in _questions(asked, {min(len(log), to) for to in positions}):
        assert counters.total(question) == expected(log, question)


def _questions(asked: list[tuple[Condition, ...]], positions: set[int]) -> Iterator[Query]:
    for conditions, position in product(asked, positions):
        for project in PROJECTS:
            yield Query(project, conditions, limit=1, total=True, as_of=AsOf(position))


def test_it_is_the_spans_of_then_that_are_asked(counters: Counters) -> None:
    """A law that counts would hold as well: counts of then that were tampered with must show, and those of now must not."""
    counters.begin(LIVES)
    for build in counters.builds:
        build.advance(counters.projector, 0, len(LIVES))
    bound = Condition(FILTERS["created_from"], (START - timedelta(days=1),))
    state = Condition(FILTERS["state"], ("Queued", "Canceled"))
    alone, stated = (
        Query("demo", conditions, limit=1, total=True, as_of=AsOf(9))
        for conditions in ((bound,), (bound, state))
    )
    assert past_total.way(alone) == past_total.way(stated) == "spans"
    assert [counters.total(one) for one in (alone, stated)] == [2, 1]
    seed = "UPDATE projections.job_counts_v4 SET queued = 50 WHERE span_s > 0 AND latest"
    counters.projector.execute(seed)
    assert [counters.total(one) for one in (alone, stated)] == [2, 1]
    counters.projector.execute(seed.replace("AND latest", "AND NOT latest").encode())
    assert all((counters.total(one) or 0) > 2 for one in (alone, stated))


@pytest.mark.parametrize("name", ["created_from", "created_to"])
def test_the_ends_of_the_calendar_bound_nothing(counters: Counters, name: str) -> None:
    log = [
        one._replace(event=one.event.model_copy(update={"created_at": moment}))
        for one, moment in zip(LIVES[:2], (FIRST, LAST), strict=True)
    ]
    counters.begin(log)
    for build in counters.builds:
        build.advance(counters.projector, 0, len(log))
    for moment in (FIRST, LAST):
        asked = Query("demo", (Condition(FILTERS[name], (moment,)),), total=True, as_of=AsOf(2))
        assert counters.total(asked) == expected(log, asked)
