"""The law of time travel: what is answered as of a position, or of a time of occurrence, is the fold of the log cut there, whatever is asked.

Invariants: what to expect is folded from the log by ledger.job, cut by ledger.past; LEDGER_PAST_EXAMPLES asks for more examples than the few of
the short form. Seen red: `position < P` for `<=` in each way through the revisions and in the stays, `>=` for `>` at their ends; a
revision kept by the job's own time instead of by the latest of its predecessors'; a list by last change without what is said to lie ahead of the
clock; jobs that have moved on told twice (without `moved`) or as they stand now (without `settled`); a stretch of counts that ends an event late."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from api import cursor
from ledger.events import Recorded
from ledger.job import Job
from ledger.past import AsOf
from projections import query
from projections.filters import FILTERS, Condition
from projections.question import Feed, Named, Offset, Query, Tally
from tests.fix_jobs import A, B
from tests.fix_questions import EVERYTHING, FEW, Asker, conditions, few, laws, queries

EXAMPLES = int(os.environ.get("LEDGER_PAST_EXAMPLES", "100"))
many = effort(laws, max_examples=EXAMPLES)
# Seconds: more examples take longer, on a busy machine too.
pytestmark = pytest.mark.timeout(300 + EXAMPLES)


@st.composite
def moments(draw: st.DrawFn, asker: Asker) -> AsOf:
    log = asker.ledger.log
    position = draw(st.integers(0, len(log)))
    known = [one.at for one in log if one.at is not None]
    happened = None
    if draw(st.booleans()):
        shift = timedelta(microseconds=draw(st.integers(-1, 1)))
        happened = known[draw(st.integers(0, len(known) - 1))] + shift
    return AsOf(position, happened)


@many
@given(st.data())
def test_a_list_is_the_fold_of_the_log_cut_there(asker: Asker, data: st.DataObject) -> None:
    asked = replace(data.draw(queries(asker)), as_of=data.draw(moments(asker)))
    expected = asker.expected(asked)
    with few(data.draw(st.sampled_from(FEW))):
        page = asker.find(asked)
    assert page.jobs == expected
    assert page.total == (len(expected) if asked.total else None)
    assert page.after is None
    assert asked.as_of is not None
    assert page.position == asked.as_of.position


@many
@given(st.data())
def test_pages_joined_are_the_list(asker: Asker, data: st.DataObject) -> None:
    asked = replace(data.draw(queries(asker)), as_of=data.draw(moments(asker)))
    expected = asker.expected(asked)
    asked = replace(asked, limit=data.draw(st.integers(1, 9)))
    by_offset = data.draw(st.booleans())
    found: list[Job] = []
    while len(found) <= len(expected):
        # The way may change from page to page, as the ledger grows.
        with few(data.draw(st.sampled_from(FEW))):
            page = asker.find(asked)
        found += page.jobs
        if page.after is None:
            break
        assert cursor.decode(cursor.encode(page.after, asked), asked) == page.after
        asked = replace(asked, window=Offset(len(found)) if by_offset else page.after)
    assert tuple(found) == expected


@many
@given(st.data())
def test_a_total_behind_a_range(asker: Asker, data: st.DataObject) -> None:
    """With states and without; half of the jobs came in no order of their times."""
    bounds = data.draw(st.sets(st.sampled_from(["created_from", "created_to"]), min_size=1))
    others = data.draw(st.sets(st.sampled_from(["state", "phase", "outcome", "type"]), max_size=2))
    asked = Query(
        data.draw(st.sampled_from([A, B])),
        tuple(data.draw(conditions(asker, name)) for name in (*sorted(bounds), *sorted(others))),
        limit=EVERYTHING,
        total=True,
        as_of=data.draw(moments(asker)),
    )
    page = asker.find(asked)
    assert (page.total, len(page.jobs)) == (len(asker.expected(asked)),) * 2


@laws
@given(st.data())
def test_jobs_by_their_names(asker: Asker, data: st.DataObject) -> None:
    then = data.draw(moments(asker))
    project = data.draw(st.sampled_from([A, B]))
    named = data.draw(
        st.lists(st.sampled_from(asker.jobs), min_size=1, max_size=5, unique_by=lambda job: job.id)
    )
    name = data.draw(st.sampled_from([job.object for job in asker.jobs if job.object]))
    there = {job.id: job for job in asker.at(then) if job.project == project}
    expected = tuple(there[job.id] for job in named if job.id in there)
    for asked in (
        Named(project, ids=tuple(job.id for job in named), as_of=then),
        Named(project, numbers=tuple(job.number for job in named), as_of=then),
    ):
        assert asker.run(query.named(asker.connection, asked)) == expected
    found = asker.run(query.named(asker.connection, Named(project, objects=(name,), as_of=then)))
    assert found == tuple(
        sorted((j for j in there.values() if j.object == name), key=lambda job: job.number)
    )


@laws
@given(st.data())
def test_counts(asker: Asker, data: st.DataObject) -> None:
    then = data.draw(moments(asker))
    project = data.draw(st.sampled_from([A, B, "nobody's"]))
    expected: dict[tuple[str, str, str], int] = {}
    for job in asker.at(then):
        if job.project == project:
            kind = (job.type, job.command or "", job.state.value)
            expected[kind] = expected.get(kind, 0) + 1
    counts = asker.run(query.tally(asker.connection, Tally(project, as_of=then)))
    found = [(one.type, one.command or "", one.state, one.jobs) for one in counts.counts]
    assert found == [(*kind, jobs) for kind, jobs in sorted(expected.items())]
    assert counts.position == then.position


@laws
@given(st.data())
def test_events(asker: Asker, data: st.DataObject) -> None:
    """Of a project or of one job: those that count, in the order of record, page by page."""
    then = data.draw(moments(asker))
    project = data.draw(st.sampled_from([A, B]))
    job_id = data.draw(st.none() | st.sampled_from([job.id for job in asker.jobs]))
    expected = sorted(
        (one for stream in asker.streams(then) for one in stream if one.project == project),
        key=lambda one: one.position,
    )
    expected = [one for one in expected if job_id in (None, one.job_id)]
    limit = data.draw(st.integers(1, 60))
    found: list[Recorded] = []
    while len(found) <= len(expected):
        after = found[-1].position if found else 0
        asked = Feed(project, after, limit, job_id, then)
        page = asker.run(query.feed(asker.connection, asked)).recorded
        found += page
        if len(page) < limit:
            break
    assert found == expected


def test_who_has_just_come_and_who_has_just_gone(asker: Asker) -> None:
    """At every third position, the states that its job was in before and behind it: the bounds of stays, which drawn questions seldom hit."""
    for one in asker.ledger.log[::3]:
        moment = AsOf(one.position)
        around = (*asker.at(replace(moment, position=one.position - 1)), *asker.at(moment))
        states = tuple({job.state for job in around if job.id == one.job_id})
        for some in {states, states[:1], states[1:] or states}:
            condition = Condition(FILTERS["state"], some)
            asked = Query(one.project, (condition,), limit=EVERYTHING, total=True, as_of=moment)
            expected = asker.expected(asked)
            for most in FEW[::2]:
                with few(most):
                    page = asker.find(asked)
                assert (page.jobs, page.total) == (expected, len(expected)), asked


def test_a_job_that_came_back_is_told_once(asker: Asker) -> None:
    """It has moved on since, and stands now as it stood then."""
    there = 0
    for job in asker.jobs:
        for stay in job.history[:-1]:
            asked = Query(
                job.project,
                (Condition(FILTERS["state"], (stay.state,)),),
                limit=EVERYTHING,
                as_of=AsOf(stay.position),
            )
            there += stay.state is job.state
            if stay.state is job.state:
                assert asker.find(asked).jobs == asker.expected(asked)
    assert there > 2


def test_as_of_the_end_is_now(asker: Asker) -> None:
    end = AsOf(len(asker.ledger.log))
    for project in (A, B):
        asked = Query(project, limit=EVERYTHING, total=True)
        assert asker.find(asked) == asker.find(replace(asked, as_of=end))
