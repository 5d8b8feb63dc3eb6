"""Comestri's words: every parameter, what it means, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.comestri.moments import parse, told, until
from api.dialects.comestri.style import zone
from ledger.errors import Invalid, UnknownJob
from projections.filters import Sort
from projections.question import Named, Offset
from tests.fix_comestri import asked, index, operation, values

# --- the page -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "limit", "offset"),
    [
        ("", 50, 0),
        ("page=2", 50, 50),
        ("per_page=7&page=3", 7, 14),
        ("per_page=1000", 1000, 0),
        ("page=&per_page=", 50, 0),
        ("page=2147483647&per_page=1000", 1000, 2_147_483_646_000),
    ],
)
def test_pages_count_from_1_and_have_50(query: str, limit: int, offset: int) -> None:
    question = index(query)
    assert (question.limit, question.window) == (limit, Offset(offset))
    assert question.total
    assert question.project == "demo"
    assert question.sort == (Sort("created", descending=True),)


@pytest.mark.parametrize("name", ["page", "per_page"])
@pytest.mark.parametrize(
    "word", ["0", "-1", "+1", "1.0", "1e2", "x", "01", " 1", "٣", "²", "9" * 18, "9" * 40]
)
def test_a_page_must_be_a_number(name: str, word: str) -> None:
    with pytest.raises(Invalid) as refused:
        operation("indexJobs").ask(replace(asked(), query=((name, word),)))
    assert refused.value.problems[0][0] == name
    assert refused.value.problems[0][1].startswith("Must be a number")


# --- filters ------------------------------------------------------------------------------------


def test_every_filter() -> None:
    found = values(
        index(
            "id=429&request_id=2e2b36a6&created_by=test@fusionfactory.com"
            "&created_time_from=2016-05-30T05:13:26Z&created_time_to=2016-05-31T05:13:26Z"
            "&updated_time_from=2016-06-30T05:13:26Z&updated_time_to=2016-06-30T05:13:26.5Z"
        )
    )
    moment = datetime(2016, 5, 30, 5, 13, 26, tzinfo=UTC)
    millisecond = timedelta(microseconds=999)
    assert found == {
        "number": (429,),
        "request_id": ("2e2b36a6",),
        "owner": ("test@fusionfactory.com",),
        "created_from": (moment,),
        "created_to": (moment + timedelta(days=1) + millisecond,),
        "updated_from": (moment + timedelta(days=31),),
        "updated_to": (moment + timedelta(days=31, milliseconds=500) + millisecond,),
    }


def test_an_id_is_a_string_so_a_word_finds_nothing() -> None:
    for word in ("abc", "-1", "9" * 16, "1 OR 1", "0", "4.29", "٤٢٩"):
        assert values(index(f"id={word}")) == {"number": (0,)}
    assert values(index("id=0429")) == {"number": (429,)}


def test_what_is_empty_or_unknown_filters_nothing() -> None:
    assert values(index("id=&request_id=&created_by=&created_time_to=&colour=red&_=1")) == {}


def test_extras_are_the_ledger_s_own_filters() -> None:
    found = values(
        index("state=Failed&state=Queued&outcome=Retrying&type=Category&object=o&source_id=s")
    )
    assert found == {
        "state": ("Failed", "Queued"),
        "outcome": ("Retrying",),
        "type": ("Category",),
        "object": ("o",),
        "source_id": ("s",),
    }
    with pytest.raises(Invalid):
        index("state=complete")


@pytest.mark.parametrize(
    "query",
    [
        "id=1&id=2",
        "created_by=a&created_by=b",
        "page=1&page=2",
        f"created_by={'x' * 513}",
        "object=a&object=b",
        "created_time_from=now",
        "updated_time_to=2016-13-01",
    ],
)
def test_what_does_not_fit_is_refused_by_name(query: str) -> None:
    with pytest.raises(Invalid) as refused:
        index(query)
    assert refused.value.problems[0][0] == query.partition("=")[0]


# --- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word",
    [
        "2016-05-30T05:13:26Z",
        "2016-05-30T05:13:26.000Z",
        "2016-05-30T05:13:26",
        "2016-05-30 05:13:26Z",
        "2016-05-30T15:13:26+10:00",
        "2016-05-30T15:13:26 10:00",
        "2016-05-30T15:13:26.000 1000",
        "2016-05-30T00:13:26-0500",
        "20160530T051326Z",
        "2016-W22-1T05:13:26Z",
        "2016-05-30t05:13:26,000z",
        " 2016-05-30T05:13:26Z ",
    ],
)
def test_forms_of_iso_8601(word: str) -> None:
    assert parse("x", word) == datetime(2016, 5, 30, 5, 13, 26, tzinfo=UTC)


def test_a_bare_date_is_its_midnight_in_utc() -> None:
    assert parse("x", "2016-05-30") == datetime(2016, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "word",
    ["", "now", "2016", "1464585206", "30/05/2016", "2016-02-30", "2016-05-30T25:00Z", "0001-01-01T00:00:00+10:00",
     "9999-12-31T23:59:59-10:00", "2016-05-30T05:13:26+99:99", "2016-05-30X05:13:26", "٢٠١٦-05-30", "x" * 9_999],
)  # fmt: skip
def test_what_is_no_time(word: str) -> None:
    with pytest.raises(Invalid, match="ISO 8601"):
        parse("created_time_from", word)


MOMENTS = st.datetimes(datetime(1, 1, 1), datetime.max, timezones=st.just(UTC))  # noqa: DTZ001, DTZ901
OFFSETS = st.sampled_from(["+00:00", "+10:00", "-12:00", "+14:00", "-03:30", "+05:45"])


@given(MOMENTS, OFFSETS)
def test_a_time_that_was_told_finds_its_job_from_either_end(moment: datetime, offset: str) -> None:
    word = told(moment, zone(offset))
    assert len(word) == len("2016-05-30T14:55:57.316+10:00")
    read = parse("x", word)
    assert read <= moment <= until(read)
    assert until(read) - read < timedelta(milliseconds=1)


@given(st.text(max_size=40))
def test_any_word_is_a_time_or_refused(word: str) -> None:
    try:
        assert parse("x", word).tzinfo is UTC
    except Invalid:
        pass


# --- one job ------------------------------------------------------------------------------------


def test_a_job_is_shown_by_its_number() -> None:
    request = asked(path_params={"id": "429"})
    assert operation("showJob").ask(request) == Named("demo", numbers=(429,))


@pytest.mark.parametrize("word", ["x", "", "4.2", "-1", "9" * 16, "9" * 400, "٤", "429.json"])
def test_what_is_no_number_is_no_job(word: str) -> None:
    with pytest.raises(UnknownJob):
        operation("showJob").ask(asked(path_params={"id": word}))
