"""Rows of a table as histories: which events a final status makes, at which times, and which rows are refused."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from api.transfer.lines import Bad, Lines, Row, csv_header, csv_rows, json_rows
from api.transfer.map import BadMap, parse
from api.transfer.table import IMPLIED, Table
from ledger.events import Created, Failed
from ledger.imported import Claim, History
from tests.fix_transfer import HEADER, MAP


def table(map_text: str, columns: tuple[str, ...] | None) -> Table:
    return Table(
        parse(map_text), columns, project="p", actor="import:ann", new_number=count(100).__next__
    )


def read(row: str, map_text: str = MAP, header: str = HEADER) -> History:
    source = Lines(io.BytesIO((header + row).encode("utf-8", "surrogateescape")))
    columns = csv_header(source, ",")
    (found,) = csv_rows(source, ",", len(columns))
    return table(map_text, columns).history(found)


def read_json(line: str, map_text: str) -> History:
    (found,) = json_rows(Lines(io.BytesIO(line.encode())))
    return table(map_text, None).history(found)


def refusal(row: str, map_text: str = MAP, header: str = HEADER) -> str:
    with pytest.raises(Bad) as caught:
        read(row, map_text, header)
    return str(caught.value)


def told(history: History) -> list[tuple[str, str | None, str | None]]:
    def one(claim: Claim) -> tuple[str, str | None, str | None]:
        at = claim.at.strftime("%d") if claim.at else None
        return claim.event.TOPIC.removeprefix("job."), at, claim.envelope.note

    return [one(claim) for claim in history.claims]


C, Q, S, E = (f"2024-01-0{day}" for day in (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (f"a,x,{C},,,,new", [("created", "01", None)]),
        (f"a,x,{C},{Q},,,waiting", [("created", "01", None), ("queued", "02", None)]),
        (f"a,x,{C},,,,waiting", [("created", "01", None), ("queued", None, None)]),
        (f"a,x,{C},{Q},{S},{E},running", [("created", "01", None), ("queued", "02", None), ("started", "03", None)]),
        (f"a,x,{C},,,,running", [("created", "01", None), ("started", None, None)]),
        (f"a,x,{C},{Q},{S},{E},done",
         [("created", "01", None), ("queued", "02", None), ("started", "03", None), ("succeeded", "04", None)]),
        (f"a,x,{C},,{S},{E},done", [("created", "01", None), ("started", "03", None), ("succeeded", "04", None)]),
        (f"a,x,{C},,,{E},done", [("created", "01", None), ("started", None, IMPLIED), ("succeeded", "04", None)]),
        (f"a,x,{C},,,,done", [("created", "01", None), ("started", None, IMPLIED), ("succeeded", None, None)]),
        (f"a,x,{C},{Q},{S},{E},broken",
         [("created", "01", None), ("queued", "02", None), ("started", "03", None), ("failed", "04", None)]),
        (f"a,x,{C},{Q},,{E},broken", [("created", "01", None), ("queued", "02", None), ("failed", "04", None)]),
        (f"a,x,{C},,,{E},broken", [("created", "01", None), ("started", None, IMPLIED), ("failed", "04", None)]),
        (f"a,x,{C},,,{E},odd", [("created", "01", None), ("started", None, IMPLIED), ("failed", "04", None)]),
        (f"a,x,{C},{Q},,{E},odd",
         [("created", "01", None), ("queued", "02", None), ("started", None, IMPLIED), ("failed", "04", None)]),
        (f"a,x,{C},,,{E},refused", [("created", "01", None), ("failed", "04", None)]),
        (f"a,x,{C},,,{E},off", [("created", "01", None), ("canceled", "04", None)]),
        (f"a,x,{C},{Q},{S},{E},again",
         [("created", "01", None), ("queued", "02", None), ("started", "03", None), ("failed", "04", None)]),
        (f"a,x,{C},{C},{C},{C},done",
         [("created", "01", None), ("queued", "01", None), ("started", "01", None), ("succeeded", "01", None)]),
    ],
)  # fmt: skip
def test_what_a_row_tells(row: str, expected: list[tuple[str, str | None, str | None]]) -> None:
    history = read(row)
    assert told(history) == expected
    assert all(claim.envelope.imported and claim.line == 2 for claim in history.claims)
    assert {claim.envelope.actor for claim in history.claims} == {"import:ann"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"a,x,{Q},,{C},,running", "Times run backwards: 'started' (2024-01-01T00:00:00Z) lies before 'created' (2024-01-02T00:00:00Z)."),
        (f"a,x,{C},{S},,{Q},broken", "Times run backwards: 'ended' (2024-01-02T00:00:00Z) lies before 'queued' (2024-01-03T00:00:00Z)."),
        (f"a,x,{S},,,{Q},done", "Times run backwards: 'ended'"),
        ("a,x,,,,,new", "Column 'created' is empty: the row has no time of its creation."),
        ("a,x,yesterday,,,,new", "Column 'created': 'yesterday' is no time of the form ISO 8601."),
        ("a,x,9999-12-31T23:00:00-05:00,,,,new", "Column 'created': '9999-12-31T23:00:00-05:00' is no time"),
        (f"a,x,{C},,,,lost", "Column 'status': the status 'lost' is none of 'new', 'waiting'"),
        (f"a,x,{C},,,,", "Column 'status': the status '' is none of"),
        (f",x,{C},,,,new", "The row has neither source_id nor number nor id."),
        (f"{'n' * 513},x,{C},,,,new", "Column 'name' (source_id): String should have at most 512 characters."),
        (f"{'😀' * 129},x,{C},,,,new", "Column 'name' (source_id): A name has 1 to 512 bytes of UTF-8."),
        (f"a\x00b,x,{C},,,,new", "Column 'name' (source_id): PostgreSQL's text cannot hold the character U+0000."),
        ("a\udcff,x,2024-01-01,,,,new", "Column 'name' (source_id): Input should be a valid string, unable to parse raw data as a unicode string."),
        (f"a,x,{C},,{S},,waiting", "The status says queued, but the row has a time of its start."),
        (f"a,x,{C},{Q},,,new", "The status says created, but the row has a time of its queueing."),
        (f"a,x,{C},{Q},,{E},refused", "A Queued job fails as exception, not as rejected."),
        (f"a,x,{C}", "The row has 3 cells, the header 7."),
    ],
)  # fmt: skip
def test_a_row_that_is_refused(row: str, reason: str) -> None:
    assert reason in refusal(row)


def test_a_default_stands_in_for_an_empty_cell() -> None:
    first = read(f"a,,{C},,,,new").claims[0].event
    assert isinstance(first, Created)
    assert (first.type, first.owner, first.source_id, first.number) == ("Job", "importer", "a", 100)


def test_where_queueing_is_taken_from_creation_it_is_left_out_where_it_cannot_have_been() -> None:
    map_text = MAP.replace('queued = "queued"', 'queued = "created"')
    assert told(read(f"a,x,{C},,,{E},refused", map_text)) == [
        ("created", "01", None),
        ("failed", "04", None),
    ]
    assert told(read(f"a,x,{C},,,,new", map_text)) == [("created", "01", None)]
    assert [one for one, _, _ in told(read(f"a,x,{C},,,,waiting", map_text))] == [
        "created",
        "queued",
    ]


def test_the_end_of_what_has_not_ended_is_not_even_read() -> None:
    assert told(read(f"a,x,{C},,{S},never,running"))[-1] == ("started", "03", None)
    assert "is no time" in refusal(f"a,x,{C},,{S},never,done")


def test_a_note_goes_to_the_last_entry() -> None:
    map_text = MAP.replace('column = "status"', 'column = "status"\nnote = "kind"')
    assert told(read(f"a,disk full,{C},,,{E},broken", map_text))[-1] == (
        "failed",
        "04",
        "disk full",
    )
    assert told(read(f"a,,{C},,,{E},broken", map_text))[-1] == ("failed", "04", None)
    assert told(read(f"a,why,{C},,,,new", map_text)) == [("created", "01", "why")]
    map_text = map_text.replace('column = "kind", default = "Job"', 'value = "Job"')
    assert "(note): String should have at most 16384 characters." in refusal(
        f"a,{'n' * 16385},{C},,,,new", map_text
    )


def test_failures_carry_their_kind() -> None:
    ends = {
        word: read(f"a,x,{C},,,{E},{word}").claims[-1].event
        for word in ("broken", "odd", "refused")
    }
    kinds = {
        word: (event.kind, event.final) for word, event in ends.items() if isinstance(event, Failed)
    }
    assert kinds == {
        "broken": ("exception", True),
        "odd": ("item_errors", True),
        "refused": ("rejected", True),
    }


def test_an_end_that_no_job_can_have_is_a_fault_of_the_map() -> None:
    map_text = MAP.replace('kind = "item_errors"', 'kind = "item_errors", final = false')
    with pytest.raises(
        BadMap, match=r"\[status.values\] odd: A failure of kind item_errors is final."
    ):
        table(map_text, tuple(HEADER.strip().split(",")))


DETAIL_MAP = MAP.replace(
    "[times]",
    """detail = [
  "text",
  {column = "count", as = "number"},
  {column = "ratio", name = "Ratio", as = "number"},
  {column = "good", as = "boolean"},
  {column = "parts", as = "json"},
]
[times]""",
)
DETAIL_HEADER = HEADER.strip() + ",text,count,ratio,good,parts\n"


def detail(cells: str) -> Any:
    event = read(f"a,x,{C},,,,new,{cells}", DETAIL_MAP, DETAIL_HEADER).claims[0].event
    assert isinstance(event, Created)
    return event.detail


def test_detail_is_read_as_asked_and_in_order() -> None:
    found = detail('007,12,-1.50,Yes,"{""a"": [1, null]}"')
    assert list(found.items()) == [("text", "007"), ("count", 12), ("Ratio", -1.5), ("good", True), ("parts", {"a": [1, None]})]  # fmt: skip
    assert detail("x,,,,") == {"text": "x"}
    assert detail("x,9223372036854775808,1e3,,") == {"text": "x", "count": 2**63, "Ratio": 1000.0}


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("x,twelve,,,", "Column 'count' (count): 'twelve' is no number."),
        ("x,,nan,,", "Column 'ratio' (Ratio): 'nan' is no number."),
        ("x,,1e999,,", "Column 'ratio' (Ratio): '1e999' is no number."),
        ("x,,,maybe,", "Column 'good' (good): 'maybe' is neither true nor false."),
        ("x,,,,{", "Column 'parts' (parts): '{' is no JSON"),
    ],
)
def test_detail_that_is_refused(cells: str, reason: str) -> None:
    assert reason in refusal(f"a,x,{C},,,,new,{cells}", DETAIL_MAP, DETAIL_HEADER)


def test_a_row_may_bring_its_number_and_its_id() -> None:
    map_text = MAP.replace('source_id = "name"', 'number = "name"\nid = "kind"').replace(
        'column = "kind", ', 'value = "Job"}#'
    )
    map_text = map_text.replace('type = {value = "Job"}#default = "Job"}', 'type = {value = "Job"}')
    job_id = UUID(int=7)
    history = read(f"12,{job_id},{C},,,,new", map_text)
    assert (history.job_id, history.by_id, history.drawn) == (job_id, True, False)
    assert history.names == (("number", "12"),)
    assert "'x' is no UUID" in refusal(f"12,x,{C},,,,new", map_text)
    assert "'1_2' is no whole number" in refusal(f"1_2,{job_id},{C},,,,new", map_text)
    assert "Column 'name' (number)" in refusal(f"0,{job_id},{C},,,,new", map_text)


def test_a_number_of_ours_is_no_name() -> None:
    history = read(f"a,x,{C},,,,new")
    assert (history.names, history.drawn) == ((("source_id", "a"),), True)


@pytest.mark.parametrize(
    ("times", "cell", "expected"),
    [
        ('zone = "UTC"', "2024-01-31 10:00:00.5", datetime(2024, 1, 31, 10, 0, 0, 500_000, UTC)),
        ('zone = "+10:00"', "2024-01-31T10:00:00", datetime(2024, 1, 31, 0, 0, tzinfo=UTC)),
        ('zone = "Australia/Melbourne"', "2024-01-31T10:00:00", datetime(2024, 1, 30, 23, 0, tzinfo=UTC)),
        ("", "2024-01-31T10:00:00+02:00", datetime(2024, 1, 31, 8, 0, tzinfo=UTC)),
        ("", "2024-01-31T10:00:00Z", datetime(2024, 1, 31, 10, 0, tzinfo=UTC)),
        ('format = "%d/%m/%Y %H:%M"\nzone = "UTC"', "31/01/2024 10:05", datetime(2024, 1, 31, 10, 5, tzinfo=UTC)),
        ('unit = "s"', "86400", datetime(1970, 1, 2, tzinfo=UTC)),
        ('unit = "s"', "-1.5", datetime(1969, 12, 31, 23, 59, 58, 500_000, UTC)),
        ('unit = "ms"', "1231007644632", datetime(2009, 1, 3, 18, 34, 4, 632_000, UTC)),
        ('unit = "us"', "1", datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
        ('unit = "ns"', "1700000000123456789", datetime(2023, 11, 14, 22, 13, 20, 123_456, UTC)),
        ('unit = "s"\nepoch = "2023-01-01T00:00:00+01:00"', "60", datetime(2022, 12, 31, 23, 1, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_times(times: str, cell: str, expected: datetime) -> None:
    assert read(f"a,x,{cell},,,,new", MAP.replace('zone = "UTC"', times)).claims[0].at == expected


@pytest.mark.parametrize(
    ("times", "cell", "reason"),
    [
        ("", "2024-01-31T10:00:00", "says no offset, and the map's [times] no zone."),
        ('unit = "s"', "2024-01-31", "'2024-01-31' is no time in s from 1970-01-01T00:00:00Z."),
        ('unit = "s"', "99999999999999", "is no time in s"),
        ('unit = "s"', "NaN", "is no time in s"),
        ('unit = "s"', "1e400", "is no time in s"),
        ('unit = "ms"', "1e999999999", "is no time in ms"),
        ('unit = "s"', "9" * 200, "9999… is no time in s"),
        ('format = "%d/%m/%Y"\nzone = "UTC"', "01/31/2024", "is no time of the form %d/%m/%Y."),
    ],
)
def test_times_that_are_none(times: str, cell: str, reason: str) -> None:
    assert reason in refusal(f"a,x,{cell},,,,new", MAP.replace('zone = "UTC"', times))


def test_json_rows_keep_their_types() -> None:
    map_text = DETAIL_MAP.replace('zone = "UTC"', 'unit = "ms"').replace(
        '{column = "good", as = "boolean"}', '"good"'
    )
    line = (
        '{"name": 17, "status": "done", "created": 1, "ended": 2.5, "kind": "", "count": 3, "good": false,'
        ' "parts": {"a": null}, "text": "t", "more": [1]}'
    )
    history = read_json(line, map_text)
    event = history.claims[0].event
    assert isinstance(event, Created)
    assert (event.source_id, event.type) == ("17", "Job")
    assert event.detail == {"text": "t", "count": 3, "good": False, "parts": {"a": None}}
    assert history.claims[-1].at == datetime(1970, 1, 1, 0, 0, 0, 2500, UTC)
    with pytest.raises(Bad, match=r"Column 'name' \(source_id\): True is no text"):
        read_json('{"name": true, "status": "new", "created": 1}', map_text)
    with pytest.raises(Bad, match="the status 1 is none of"):
        read_json('{"name": "a", "status": 1, "created": 1}', map_text)


def test_a_row_that_could_not_be_read_is_refused_for_that() -> None:
    with pytest.raises(Bad, match="torn"):
        table(MAP, tuple(HEADER.strip().split(","))).history(Row(1, "", Bad("torn")))
