"""FILTERS and SORTS: words become values or a sentence, nothing else gets through, and every row names what exists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.job import Job, State
from ledger.settings import WORD_BYTES_MAX
from projections.filters import FILTERS, SORTS, Filter, Value
from projections.filters import moment as parse_moment
from tests.fix_questions import laws

SENTENCE = r"^[A-Z].{10,}\.$"
JOB_FIELDS = {*Job._fields, "outcome", "phase"}


def test_the_filters_are_those_that_were_promised() -> None:
    assert list(FILTERS) == [
        "state",
        "outcome",
        "phase",
        "type",
        "command",
        "object",
        "owner",
        "request_id",
        "number",
        "source_id",
        "id",
        "created_from",
        "created_to",
        "updated_from",
        "updated_to",
    ]
    assert [row.name for row in FILTERS.values() if row.many] == [
        "state",
        "outcome",
        "phase",
        "type",
        "command",
    ]
    assert list(SORTS) == [
        *("created", "updated", "number", "state", "phase", "type", "owner", "id"),
    ]


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_is_complete(name: str) -> None:
    row = FILTERS[name]
    assert row.name == name
    assert row.column in JOB_FIELDS
    assert row.description.endswith(".")
    assert row.operator == {"from": ">=", "to": "<="}.get(name.rpartition("_")[2], "in")


@pytest.mark.parametrize("name", SORTS)
def test_a_sort_key_is_a_field_of_the_job(name: str) -> None:
    key = SORTS[name]
    assert key.name == name
    assert key.column in JOB_FIELDS
    assert key.then is None or key.then in JOB_FIELDS


@pytest.mark.parametrize("state", State)
def test_states_are_read_in_exactly_their_spelling(state: State) -> None:
    assert FILTERS["state"].parse(state.value) == state
    for word in (state.value.lower(), state.value.upper(), f" {state.value}", f"{state.value},"):
        with pytest.raises(ValueError, match=SENTENCE):
            FILTERS["state"].parse(word)


TEXTS = [row for row in FILTERS.values() if row.parse is FILTERS["owner"].parse]


@pytest.mark.parametrize("row", TEXTS, ids=lambda row: row.name)
@pytest.mark.parametrize(
    "word", ["x" * WORD_BYTES_MAX, "😀" * 128, "'; DROP TABLE", "%s %(x)s {}", "\\", "😀", " a "]
)
def test_names_come_through_letter_for_letter(row: Filter, word: str) -> None:
    assert row.parse(word) == word


@pytest.mark.parametrize("row", TEXTS, ids=lambda row: row.name)
@pytest.mark.parametrize(
    "word", ["", "x" * (WORD_BYTES_MAX + 1), "😀" * 129, "a\x00b", "a\ud800b", "\udfff"]
)
def test_what_no_job_can_be_called_is_refused(row: Filter, word: str) -> None:
    with pytest.raises(ValueError, match=SENTENCE):
        row.parse(word)


@laws
@given(st.integers(0, 2**63 - 1))
def test_numbers_within_bigint_are_read(number: int) -> None:
    assert FILTERS["number"].parse(str(number)) == number


@pytest.mark.parametrize(
    "word",
    [
        "",
        "-1",
        "+1",
        "1.0",
        "1e3",
        " 1",
        "1 ",
        "1_000",
        "٣",
        "²",
        str(2**63),
        "1" + "0" * 30,
        "0x10",
    ],
)
def test_other_numbers_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match=SENTENCE):
        FILTERS["number"].parse(word)


@laws
@given(st.uuids())
def test_ids_are_read_in_either_case(job_id: UUID) -> None:
    assert FILTERS["id"].parse(str(job_id)) == job_id
    assert FILTERS["id"].parse(str(job_id).upper()) == job_id


@pytest.mark.parametrize(
    "word",
    ["", "1", "{0190b6c6-7d2a-7c3e-9f0a-2f5b8f1c9d10}", "0190b6c67d2a7c3e9f0a2f5b8f1c9d10", "x" * 36,
     "0190b6c6-7d2a-7c3e-9f0a-2f5b8f1c9d1\u0660", "0190b6c6-7d2a-7c3e-9f0a-2f5b8f1c9d10\n"],
)  # fmt: skip
def test_other_ids_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match=SENTENCE):
        FILTERS["id"].parse(word)


OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=OFFSETS)  # noqa: DTZ001


@laws
@given(MOMENTS, st.sampled_from("Tt "))
def test_times_keep_their_instant_to_the_microsecond(moment: datetime, separator: str) -> None:
    read = parse_moment(moment.isoformat(separator))
    assert read == moment
    assert read.tzinfo is UTC


@laws
@given(MOMENTS)
def test_z_means_utc(moment: datetime) -> None:
    moment = moment.astimezone(UTC)
    for zone in "zZ":
        assert parse_moment(moment.isoformat().replace("+00:00", zone)) == moment


@laws
@given(st.dates())
def test_a_bare_date_is_its_first_moment_in_utc(day: date) -> None:
    assert parse_moment(str(day)).isoformat() == f"{day}T00:00:00+00:00"


@pytest.mark.parametrize(
    "word",
    ["", "now", "2024", "2024-05", "20240530", "2024-W22-4", "2024-05-30T05:13", "2024-05-30T05:13:26", "2024-05-30 05:13:26",
     "2024-05-30T05:13:26.Z", "2024-05-30T05:13:26.1234567Z", "2024-05-30T05:13:26+0200", "2024-05-30T05:13:26 02:00",
     "2024-13-01", "2024-02-30", "0000-01-01", "2024-05-30T24:00:01Z", "2024-05-30T05:60:00Z", "2024-05-30T05:13:26+24:00",
     "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "2024-05-30Z", "٢٠٢٤-05-30", "2024-05-30\n", "1717045406000"],
)  # fmt: skip
def test_other_times_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match=SENTENCE):
        parse_moment(word)


PARSERS = [row.parse for row in FILTERS.values()] + [key.parse for key in SORTS.values()]


@laws
@given(st.text(max_size=40), st.sampled_from(PARSERS))
def test_any_word_is_a_value_or_a_sentence(word: str, parse: Callable[[str], Value]) -> None:
    said = ""
    try:
        parse(word)
    except ValueError as error:
        said = str(error)
    assert said == "" or said.endswith(".")
