"""Orange's words: states, the window, the grammar of sort, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.dialect import ApiKey
from api.dialects.orange import ORANGE
from api.dialects.orange.words import SORT_PATTERN, SORTABLE
from ledger.errors import Invalid, UnknownJob
from ledger.job import Phase
from ledger.settings import PAGE_LIMIT_MAX
from projections.filters import FILTERS, SORTS, Condition, Sort
from projections.question import Named, Offset, Query
from tests.fix_orange import LIVES, a_job, asked, listed, operation, values

# --- states -------------------------------------------------------------------------------------

# A state, or several -> the ledger's question.
STATES: tuple[tuple[str, dict[str, tuple[str, ...]]], ...] = (
    ("state=acknowledged", {"state": ("Created", "Queued")}),
    ("state=completed", {"state": ("Succeeded",)}),
    ("state=in-progress", {"phase": ("in-progress",)}),
    ("state=failed", {"phase": ("failed",)}),
    ("state=failed&state=in-progress", {"state": ("Processing", "Failed", "Canceled")}),
    ("state=failed,acknowledged", {"phase": ("failed", "acknowledged")}),
    ("state=completed,acknowledged", {"state": ("Created", "Queued", "Succeeded")}),
    ("state=completed&state=completed", {"state": ("Succeeded",)}),
    ("state=acknowledged,in-progress&state=completed,failed", {}),
    ("", {}),
)


@pytest.mark.parametrize(("query", "found"), STATES)
def test_states_are_repeated_or_have_commas(query: str, found: dict[str, object]) -> None:
    assert values(listed(query)) == found


@pytest.mark.parametrize("names", list(chain.from_iterable(combinations(Phase, n) for n in range(1, 5))))  # fmt: skip
def test_any_states_find_the_jobs_that_are_shown_in_them(names: tuple[Phase, ...]) -> None:
    asked_for = listed("&".join(f"state={name}" for name in names))
    for events, state in LIVES:
        job = a_job(*events)
        assert job.phase == state
        found = all(matches(job, one) for one in asked_for.conditions)
        assert found == (state in names), (events, names)


def matches(job: object, condition: Condition) -> bool:
    return getattr(job, condition.filter.column) in condition.values


@pytest.mark.parametrize(
    "word",
    ["", "Failed", "in progress", "in_progress", "failed,", ",failed", "failed, completed", "failed;completed", "canceled", "'"],
)  # fmt: skip
def test_another_state_is_refused(word: str) -> None:
    with pytest.raises(Invalid) as refused:
        operation("findJobs").ask(replace(asked(), query=(("state", word),)))
    assert refused.value.field == "state"


# --- the window ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "offset", "limit"),
    [
        ("", 0, 100),
        ("offset=0&limit=1", 0, 1),
        ("offset=7", 7, 100),
        ("offset=2147483647&limit=1000", 2_147_483_647, 1_000),
    ],
)
def test_offset_and_limit(query: str, offset: int, limit: int) -> None:
    question = listed(query)
    assert (question.window, question.limit) == (Offset(offset), limit)
    assert question.total
    assert question.project == "demo"


@pytest.mark.parametrize(
    ("name", "word"),
    [
        *(("limit", word) for word in ("0", "-1", str(PAGE_LIMIT_MAX + 1), "2147483648")),
        *(("offset", word) for word in ("-1", "2147483648", "9" * 40)),
        *(
            (name, word)
            for name in ("limit", "offset")
            for word in ("", "x", "1.0", "+1", " 1", "1e2", "٣", "²")
        ),
    ],
)
def test_other_numbers_are_refused(name: str, word: str) -> None:
    with pytest.raises(Invalid) as refused:
        operation("findJobs").ask(replace(asked(), query=((name, word),)))
    assert refused.value.field == name


# --- sort ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "sort"),
    [
        ("createdDate", (Sort("created"),)),
        ("-createdDate", (Sort("created", descending=True),)),
        ("state", (Sort("phase"),)),
        ("-state,createdDate", (Sort("phase", descending=True), Sort("created"))),
        ("requesterId,state,id", (Sort("owner"), Sort("phase"), Sort("id"))),
        ("-id", (Sort("id", descending=True),)),
        ("id,id", (Sort("id"), Sort("id"))),
    ],
)
def test_fields_in_order_the_first_perhaps_descending(word: str, sort: tuple[Sort, ...]) -> None:
    assert listed(f"sort={word}").sort == sort


def test_without_a_sort_the_newest_come_first() -> None:
    assert listed().sort == (Sort("created", descending=True),)


# Words outside the grammar, though every one of their fields exists.
UNGRAMMATICAL = (
    *("", "-", ",", "createdDate,", ",createdDate", "createdDate,,id", "--createdDate"),
    *("createdDate,-state", "-createdDate,-state", "+createdDate", "createdDate;id"),
    *("createdDate state", " createdDate", "createdDate\n", "created_date", "créé", "-createdDate,"),
)  # fmt: skip


@pytest.mark.parametrize(
    "word",
    [
        *UNGRAMMATICAL,
        *("number", "created", "createddate", "CreatedDate", "description", "messages", "x" * 5),
        *("endProcessingDate", "startProcessingDate", "createdDate,hRef"),
        ",".join(["id"] * 34),
    ],
)
def test_other_sorts_are_refused(word: str) -> None:
    with pytest.raises(Invalid) as refused:
        operation("findJobs").ask(replace(asked(), query=(("sort", word),)))
    assert refused.value.field == "sort"


def test_the_grammar_is_the_document_s() -> None:
    assert SORT_PATTERN == "-?[A-Za-z0-9]+(?:,[A-Za-z0-9]+)*"
    assert len(",".join(["id"] * 33)) == 98
    assert len(listed(f"sort={','.join(['id'] * 33)}").sort) == 33
    assert set(SORTABLE.values()) <= set(SORTS)


FIELDS = st.lists(st.sampled_from(sorted(SORTABLE)), min_size=1, max_size=8)


@given(FIELDS, st.booleans())
def test_every_grammatical_sort_is_read(fields: list[str], descending: bool) -> None:
    sort = listed(f"sort={'-' if descending else ''}{','.join(fields)}").sort
    assert [one.column for one in sort] == [SORTABLE[field] for field in fields]
    assert [one.descending for one in sort] == [descending, *[False] * (len(fields) - 1)]


# --- other filters ------------------------------------------------------------------------------


def test_the_resource_is_the_name_of_an_object() -> None:
    assert values(listed("resource=vm%201")) == {"object": ("vm 1",)}


def test_extras_are_the_ledger_s_own_filters() -> None:
    found = listed("type=A&type=B&owner=o&created_from=2024-01-01&number=7")
    assert [one.filter.name for one in found.conditions] == [
        *("type", "owner", "number", "created_from"),
    ]
    assert found.conditions[0] == Condition(FILTERS["type"], ("A", "B"))


@pytest.mark.parametrize(
    "query",
    [
        *("limit=1&limit=1", "offset=1&offset=1", "sort=id&sort=id", "resource=a&resource=b"),
        *("resource=", f"resource={'x' * 513}", "owner=a&owner=b", "number=x", "created_to=now"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(query: str) -> None:
    with pytest.raises(Invalid) as refused:
        listed(query)
    assert refused.value.field == query.partition("=")[0]


def test_what_is_unknown_filters_nothing() -> None:
    assert values(listed("colour=red&_=1&page=7")) == {}


WORDS = st.tuples(
    st.sampled_from(["state", "offset", "limit", "sort", "resource", "type", "x"]),
    st.text(max_size=20),
)


@given(st.lists(WORDS, max_size=4))
def test_any_words_are_a_question_or_refused(words: list[tuple[str, str]]) -> None:
    try:
        question = operation("findJobs").ask(replace(asked(), query=tuple(words)))
    except Invalid:
        return
    assert isinstance(question, Query)


# --- one job, credentials -----------------------------------------------------------------------

JOB_ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"


def test_a_job_is_named_by_its_id() -> None:
    for word in (JOB_ID, JOB_ID.upper()):
        request = asked(path_params={"projectId": "demo", "jobId": word})
        assert operation("getJob").ask(request) == Named("demo", ids=(UUID(JOB_ID),))


@pytest.mark.parametrize("word", ["", "7", "x", JOB_ID[:-1], JOB_ID.replace("-", ""), "{x}"])
def test_what_is_no_id_is_no_job(word: str) -> None:
    with pytest.raises(UnknownJob):
        operation("getJob").ask(asked(path_params={"projectId": "demo", "jobId": word}))


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"x-api-key": "KEY"}, "KEY"),
        ({"authorization": "Bearer KEY"}, "KEY"),
        ({"authorization": "bearer KEY "}, "KEY"),
        ({"x-api-key": "KEY", "authorization": "Bearer OTHER", "x-requester-id": "ann"}, "KEY"),
        ({"x-api-key": "", "authorization": "Bearer KEY"}, "KEY"),
        ({"x-requester-id": "ann"}, None),
        ({"authorization": "Basic KEY"}, None),
        ({"authorization": "Bearer"}, None),
        ({"authorization": "Bearer  "}, None),
        ({}, None),
    ],
)
def test_credentials(headers: dict[str, str], key: str | None) -> None:
    found = ORANGE.credential(asked(headers=headers))
    assert found == (None if key is None else ApiKey(key))
