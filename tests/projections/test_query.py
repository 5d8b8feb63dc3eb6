"""What is read equals what the log says: every filter, order and window against the same question asked of folded jobs in Python.

Invariants: nobody changes the ledger or its read models; names hold quotes, backslashes, placeholders and emoji."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from api import cursor
from ledger import settings
from ledger.errors import Busy, Invalid
from ledger.job import Job, State
from projections import query
from projections.filters import FILTERS, Condition, Sort
from projections.question import After, Feed, Named, Offset, Page, Query, Tally
from tests.fix_jobs import A, B
from tests.fix_questions import Asker, connected, laws, queries

# --- lists ---------------------------------------------------------------------------------------


def test_there_is_something_to_find(asker: Asker) -> None:
    mine = [job for job in asker.jobs if job.project == A]
    assert {job.state for job in mine} == set(State)
    assert len({job.created_at for job in mine}) < len(mine) - 3
    assert any(job.messages for job in mine)
    assert any(job.detail for job in mine)
    assert any(stay.at is None for job in mine for stay in job.history)


@laws
@given(st.data())
def test_a_list_is_what_the_log_says(asker: Asker, data: st.DataObject) -> None:
    asked = data.draw(queries(asker))
    expected = asker.expected(asked)
    page = asker.find(asked)
    assert page.jobs == expected
    assert page.total == (len(expected) if asked.total else None)
    assert page.after is None
    assert page.position == len(asker.ledger.log)


def joined(asker: Asker, asked: Query, *, by_offset: bool) -> tuple[Job, ...]:
    """The pages of a list, one after another; one page too many when they would not end."""
    found: list[Job] = []
    while len(found) <= len(asker.jobs):
        page = asker.find(asked)
        found += page.jobs
        if page.after is None:
            break
        assert len(page.jobs) == asked.limit
        # What the API hands out as a word comes back as it was.
        assert cursor.decode(cursor.encode(page.after, asked), asked) == page.after
        asked = replace(asked, window=Offset(len(found)) if by_offset else page.after)
    return tuple(found)


@laws
@given(st.data())
def test_pages_joined_are_the_list(asker: Asker, data: st.DataObject) -> None:
    asked = data.draw(queries(asker))
    asked = replace(asked, limit=data.draw(st.integers(1, 9)))
    assert joined(asker, asked, by_offset=data.draw(st.booleans())) == asker.expected(asked)


PAIRS = [
    (first, second)
    for first in (Sort("created"), Sort("state", descending=True), Sort("owner"), Sort("type"))
    for second in (Sort("created"), Sort("updated"), Sort("state"), Sort("number"))
    if first.column != second.column
]


@pytest.mark.parametrize("pair", PAIRS, ids=str)
@pytest.mark.parametrize("turned", [False, True])
def test_pages_of_keys_that_run_both_ways(
    asker: Asker, pair: tuple[Sort, Sort], turned: bool
) -> None:
    first, second = pair
    second = replace(second, descending=first.descending is turned)
    asked = Query(A, sort=(first, second), limit=4)
    assert joined(asker, asked, by_offset=False) == asker.expected(asked)


@pytest.mark.parametrize("by_offset", [False, True])
def test_pages_of_several_values(asker: Asker, by_offset: bool) -> None:
    several = Condition(FILTERS["state"], ("Succeeded", "Created", "Failed", "Queued"))
    for sort in ((Sort("created"),), (Sort("created", descending=True), Sort("owner"))):
        asked = Query(A, (several,), sort, limit=3)
        assert joined(asker, asked, by_offset=by_offset) == asker.expected(asked)
        assert len(asker.expected(asked)) > 10


@laws
@given(st.data())
def test_a_page_may_begin_anywhere(asker: Asker, data: st.DataObject) -> None:
    asked = data.draw(queries(asker))
    rows = data.draw(st.integers(0, len(asker.jobs) + 2))
    expected = asker.expected(asked)[rows : rows + 5]
    assert asker.find(replace(asked, limit=5, window=Offset(rows))).jobs == expected


def test_a_page_may_begin_nowhere(asker: Asker) -> None:
    for rows in (10_000, settings.COUNT_MAX, 10**30):
        page = asker.find(Query(A, window=Offset(rows), total=True))
        assert (page.jobs, page.after, page.total) == ((), None, 45)
    assert asker.find(Query("nobody's", total=True)) == Page((), None, 0, len(asker.ledger.log))


def test_times_are_inclusive_at_both_ends(asker: Asker) -> None:
    for column in ("created", "updated"):
        row = FILTERS[f"{column}_from"], FILTERS[f"{column}_to"]
        for job in asker.jobs:
            moment = getattr(job, row[0].column)
            asked = Query(job.project, tuple(Condition(one, (moment,)) for one in row))
            assert job in asker.find(asked).jobs


def test_a_value_given_twice_counts_once(asker: Asker) -> None:
    for name, value in (("state", "Failed"), ("type", "VirtualServer"), ("owner", "bob")):
        once, twice = ((value,), (value, value))
        sort = (Sort("created"),)
        pages = [asker.find(Query(A, (Condition(FILTERS[name], v),), sort)) for v in (once, twice)]
        assert pages[0] == pages[1]
        assert pages[0].jobs


def test_more_values_than_are_merged(asker: Asker) -> None:
    types = (*(f"type {nth}" for nth in range(settings.BRANCHES_MAX)), "VirtualServer")
    asked = Query(A, (Condition(FILTERS["type"], types),), (Sort("created"),), total=True)
    page = asker.find(asked)
    assert page.jobs == asker.expected(asked)
    assert page.total == len(page.jobs) > 0


@laws
@given(st.data())
def test_nothing_of_another_project_is_found(asker: Asker, data: st.DataObject) -> None:
    asked = replace(data.draw(queries(asker)), project=B, total=True)
    page = asker.find(asked)
    assert {job.project for job in page.jobs} <= {B}
    assert page.total == len(asker.expected(asked))
    foreign = [job for job in asker.jobs if job.project == A]
    job = data.draw(st.sampled_from(foreign))
    for name, value in (("id", job.id), ("number", job.number)):
        page = asker.find(replace(asked, conditions=(Condition(FILTERS[name], (value,)),)))
        assert (page.jobs, page.after, page.total) == ((), None, 0)
    # Nor behind a cursor that names one of its jobs.
    behind = After((job.state.value,), job.number)
    page = asker.find(Query(B, sort=(Sort("state"),), window=behind))
    assert {job.project for job in page.jobs} <= {B}


@pytest.mark.parametrize(
    ("sort", "values"),
    [
        ("created", (None,)),
        ("created", ("",)),
        ("created", ("2024-05-30T05:13:26",)),
        ("created", ("' OR true",)),
        ("created", ()),
        ("created", ("2024-05-30T05:13:26Z", "x")),
        ("number", ("1" + "0" * 30,)),
        ("state", ("Sleeping",)),
        ("type", ("a\x00b",)),
        ("type", ("\ud800",)),
    ],
)
def test_a_cursor_that_is_none_of_ours_is_refused(
    asker: Asker, sort: str, values: tuple[str | None, ...]
) -> None:
    with pytest.raises(Invalid, match="cursor") as refused:
        asker.find(Query(A, sort=(Sort(sort),), window=After(values, 1)))
    assert refused.value.field == "cursor"


@pytest.mark.anyio
async def test_before_the_first_build_the_answer_is_to_come_again(database: str) -> None:
    connection = await connected(database)
    try:
        for answer in (query.find(connection, Query(A)), query.tally(connection, Tally(A))):
            with pytest.raises(Busy):
                await answer
    finally:
        await connection.close()


# --- jobs by name, counters, the feed ------------------------------------------------------------


@laws
@given(st.data())
def test_named_jobs_come_in_the_order_asked(asker: Asker, data: st.DataObject) -> None:
    project = data.draw(st.sampled_from([A, B]))
    column = data.draw(st.sampled_from(["id", "number", "object"]))
    alien: dict[str, list[Any]] = {
        "id": [UUID(int=0)],
        "number": [0, -1, 10**30],
        "object": ["", "a\x00b", "\ud800", "'"],
    }
    known = sorted({getattr(job, column) for job in asker.jobs} - {None})
    names: Any = tuple(data.draw(st.lists(st.sampled_from([*known, *alien[column]]), min_size=1)))
    expected = [
        job
        for name in dict.fromkeys(names)
        for job in sorted(asker.jobs, key=lambda job: job.number)
        if getattr(job, column) == name and job.project == project
    ]
    asked = {
        "id": Named(project, ids=names),
        "number": Named(project, numbers=names),
        "object": Named(project, objects=names),
    }[column]
    assert asker.run(query.named(asker.connection, asked)) == tuple(expected)


@pytest.mark.parametrize(
    "asked",
    [
        Named(A),
        Named(A, ids=(UUID(int=0),)),
        Named(A, numbers=(0, -1, 2**63, 10**30)),
        Named(A, objects=("", "a\x00b", "\ud800", "' OR true --", "%(names)s", "{}")),
    ],
    ids=repr,
)
def test_nobody_goes_by_such_a_name(asker: Asker, asked: Named) -> None:
    assert asker.run(query.named(asker.connection, asked)) == ()


def test_names_of_too_many_jobs_are_refused(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = tuple({job.object for job in asker.jobs if job.object})
    named = len([job for job in asker.jobs if job.project == A and job.object])
    for most in (named, named - 1):
        monkeypatch.setattr(settings, "PAGE_LIMIT_MAX", most)
        if most == named:
            assert len(asker.run(query.named(asker.connection, Named(A, objects=objects)))) == named
        else:
            with pytest.raises(Invalid):
                asker.run(query.named(asker.connection, Named(A, objects=objects)))


@pytest.mark.parametrize("project", [A, B, "nobody's"])
def test_counters_are_counts(asker: Asker, project: str) -> None:
    expected: dict[tuple[str, str, str], int] = {}
    for job in asker.jobs:
        if job.project == project:
            kind = (job.type, job.command or "", job.state.value)
            expected[kind] = expected.get(kind, 0) + 1
    counts = asker.run(query.tally(asker.connection, Tally(project)))
    alien = {A: B, B: A}.get(project, A)
    assert asker.run(query.tally(asker.connection, Tally(project), (alien,))).counts == ()
    found = [(count.type, count.command or "", count.state, count.jobs) for count in counts.counts]
    assert found == [(*kind, jobs) for kind, jobs in sorted(expected.items())]
    assert counts.position == len(asker.ledger.log)
    assert all(count.command != "" for count in counts.counts)


@laws
@given(st.data())
def test_the_feed_is_the_log(asker: Asker, data: st.DataObject) -> None:
    log = asker.ledger.log
    project = data.draw(st.sampled_from([A, B]))
    limit = data.draw(st.integers(1, 30))
    job_id = data.draw(st.sampled_from([None, *(job.id for job in asker.jobs), uuid7()]))
    # Behind an event of the job itself as often as not.
    places = [one.position for one in log if one.job_id == job_id]
    after = data.draw(st.sampled_from([0, *places, len(log) // 2, len(log), len(log) + 1]))
    expected = [
        one for one in log[after:] if one.project == project and job_id in (None, one.job_id)
    ][:limit]
    found = asker.run(query.feed(asker.connection, Feed(project, after, limit, job_id)))
    assert found.recorded == tuple(expected)
    assert found.last == (expected[-1].position if expected else after)
