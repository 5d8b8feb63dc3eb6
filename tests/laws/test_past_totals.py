"""The law of totals of the past: behind any range of creation times, as of any position, a total is the number of the jobs that the project had then;
and it is known without counting wherever jobs came in the order of their times.

Invariants: jobs come in the order of their times but for some; times lie on the borders of spans and beside them, many are the same, and some are at
the ends of the calendar; numbers come in another order, too; read models are as far as they like. Seen red: what a job of now says taken as it is,
though some up to it were created later than the bound (`created_to`), or though more lie up to it (`jobs`); a bound that is left out of the jobs at
the end of its spans; what is not known taken for none; an end before its beginning."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import Phase as Trying
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from psycopg.sql import SQL

from ledger import events
from ledger.events import Created, Recorded
from ledger.past import AsOf
from ledger.sight import rows
from projections import PROJECTIONS, past_total
from projections.filters import FILTERS, Condition
from projections.question import Query
from tests.fix_questions import matches
from tests.histories import ANN, CREATED, START
from tests.laws.test_totals import (
    FIRST,
    LAST,
    MICROSECOND,
    SOME,
    Counters,
    counting,
    jobs_of,
    moments,
)

PROJECTS = ("demo", "über %s {}")
# More than there ever are: that no creation knew it, and jobs were counted.
COUNTED = 1_000
# A time, a number, a project.
Birth = tuple[datetime, int, str]


@pytest.fixture
def counters(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counters]:
    yield from counting(database, monkeypatch, PROJECTIONS)


@st.composite
def births(draw: st.DrawFn) -> list[Birth]:
    """Which jobs come, in the order in which they do."""
    times = sorted(draw(st.lists(moments, min_size=1, max_size=16)))
    places = st.integers(0, len(times) - 1)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 9]))):
        times.insert(draw(places), times.pop(draw(places)))
    numbers = list(range(1, len(times) + 1))
    if draw(st.booleans()):
        numbers = draw(st.permutations(numbers))
    projects = [draw(st.sampled_from(PROJECTS)) for _ in times]
    return list(zip(times, numbers, projects, strict=True))


def logged(born: list[Birth]) -> list[Recorded]:
    """Their creations, and behind them some are queued."""
    log = []
    for nth, (moment, number, project) in enumerate(born, start=1):
        event = CREATED.model_copy(update={"created_at": moment, "number": number})
        log.append(_recorded(nth, number, project, event))
    for _, number, project in born[:: 1 + born[0][1]]:
        log.append(_recorded(len(log) + 1, number, project, events.Queued(), version=2))
    return log


def _recorded(
    position: int, job: int, project: str, event: Created | events.Queued, version: int = 1
) -> Recorded:
    envelope = ANN._replace(project=project)
    told = (UUID(int=position), UUID(int=job), version, START, envelope, event)
    return Recorded(position, *told)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[Condition, ...]:
    names = draw(
        st.sampled_from([("created_from",), ("created_to",), ("created_from", "created_to")])
    )
    bounds = st.lists(moments, min_size=1, max_size=2)
    return tuple(Condition(FILTERS[name], tuple(draw(bounds))) for name in names)


def expected(log: list[Recorded], asked: Query) -> int:
    """How many jobs match of those that were there."""
    assert asked.as_of is not None
    there = [one for one in jobs_of(log[: asked.as_of.position]) if one.project == asked.project]
    return sum(all(matches(job, one) for one in asked.conditions) for job in there)


def in_order(log: list[Recorded], asked: Query) -> bool:
    """Whether the jobs on this side of each bound are the first that came, the last of them by its time and number the last that came."""
    assert asked.as_of is not None
    born = [
        (one.event.created_at, one.event.number)
        for one in log
        if isinstance(one.event, Created) and one.project == asked.project
    ]
    there = born[
        : sum(
            one.version == 1 and one.project == asked.project for one in log[: asked.as_of.position]
        )
    ]
    return all(_in_order(born, there, bound) for bound in _bounds(asked))


def _in_order(born: list[Any], there: list[Any], bound: datetime) -> bool:
    if len({time <= bound for time, _ in there}) < 2:
        return True
    before = [one for one in born if one[0] <= bound]
    return born[: born.index(max(before)) + 1] == before


def _bounds(asked: Query) -> Iterator[datetime]:
    """The last moments before the range, and of it."""
    for one in asked.conditions:
        times = [value for value in one.values if isinstance(value, datetime)]
        if one.filter.operator == "<=":
            yield min(times)
        elif max(times) > FIRST:
            yield max(times) - MICROSECOND


def known(counters: Counters, asked: Query) -> int:
    """The total by what creations say, or else COUNTED."""
    assert asked.as_of is not None
    many = SQL("generate_series(1, {})").format(COUNTED)
    text = SQL("SELECT {}").format(past_total.text("range", (), [(many, [SQL("true")])]))
    values = {"project": asked.project, "position": asked.as_of.position}
    values |= past_total.values(asked)
    answer = rows(counters.reader, (asked.project,), text.as_bytes(), values)
    [(total,)] = counters.runner.run(answer)
    assert isinstance(total, int)
    return total


# A smaller example is not worth its builds.
@effort(SOME, max_examples=100, phases=(Trying.explicit, Trying.generate))
@given(
    born=births(),
    asked=st.lists(ranges(), min_size=3, max_size=3),
    reach=st.lists(st.integers(1, 20), min_size=4, max_size=4),
    positions=st.sets(st.integers(0, 20), max_size=3),
)
def test_a_total_behind_a_range_is_what_a_count_gave_then(
    counters: Counters,
    born: list[Birth],
    asked: list[tuple[Condition, ...]],
    reach: list[int],
    positions: set[int],
) -> None:
    log = logged(born)
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
        total = expected(log, question)
        assert counters.total(question) == total
        assert known(counters, question) == (total if in_order(log, question) else COUNTED)


def _questions(asked: list[tuple[Condition, ...]], positions: set[int]) -> Iterator[Query]:
    for conditions, position in product(asked, positions):
        for project in PROJECTS:
            yield Query(project, conditions, limit=1, total=True, as_of=AsOf(position))


def test_the_ends_of_the_calendar_bound_nothing(counters: Counters) -> None:
    born = CREATED.model_copy(update={"created_at": LAST})
    counters.begin([_recorded(1, 1, "demo", born)])
    for build in counters.builds:
        build.advance(counters.projector, 0, 1)
    for name, moment in (("created_from", FIRST), ("created_from", LAST), ("created_to", LAST)):
        asked = Query("demo", (Condition(FILTERS[name], (moment,)),), total=True, as_of=AsOf(1))
        assert known(counters, asked) == counters.total(asked) == 1


@pytest.mark.parametrize(
    ("times", "position", "total"),
    [
        ([9, 4, 3], 2, 1),  # the last before the bound would say 2, as many as lie there now, but the first is later than the bound
        ([4, 9, 3], 3, 2),  # it says 1, none of them later; but another came later on
        ([3, 9, 4], 3, 2),  # it says 3
        ([4, 9, 3], 2, 1),  # what came since the position is not there yet
    ],
)  # fmt: skip
def test_what_came_in_another_order_is_counted(
    counters: Counters, times: list[int], position: int, total: int
) -> None:
    moments = [START + timedelta(minutes=minute) for minute in times]
    log = logged([(moment, nth, "demo") for nth, moment in enumerate(moments, start=1)])
    counters.begin(log)
    for build in counters.builds:
        build.advance(counters.projector, 0, len(log))
    until = Condition(FILTERS["created_to"], (START + timedelta(minutes=5),))
    asked = Query("demo", (until,), total=True, as_of=AsOf(position))
    assert counters.total(asked) == total
    assert known(counters, asked) == COUNTED
