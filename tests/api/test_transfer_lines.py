"""Lines and rows of files as they come: byte order marks, quotes, line ends, gaps and bytes that are no text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.transfer import lines
from api.transfer.lines import Bad, BadFile, Lines, Row, csv_header, csv_rows, json_rows
from ledger import settings


def rows(text: bytes, delimiter: str = ",") -> tuple[tuple[str, ...], list[Row]]:
    source = Lines(io.BytesIO(text))
    header = csv_header(source, delimiter)
    return header, list(csv_rows(source, delimiter, len(header)))


def told(found: list[Row]) -> list[tuple[int, object]]:
    return [
        (row.line, str(row.cells) if isinstance(row.cells, Bad) else row.cells) for row in found
    ]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        (b"a,b\n1,2\n3,4\n", ","),
        (b"\xef\xbb\xbfa,b\n1,2\n3,4\n", ","),
        (b"a,b\r\n1,2\r\n3,4\r\n", ","),
        (b"a,b\n1,2\n3,4", ","),
        (b'"a","b"\n"1","2"\n"3",4\n', ","),
        (b"a\tb\n1\t2\n3\t4\n", "\t"),
        (b"a;b\n1;2\n3;4\n", ";"),
    ],
    ids=["plain", "byte order mark", "CRLF", "no end", "quotes", "tabs", "semicolons"],
)
def test_dialects(text: bytes, delimiter: str) -> None:
    header, found = rows(text, delimiter)
    assert header == ("a", "b")
    assert told(found) == [(2, ["1", "2"]), (3, ["3", "4"])]


def test_empty_lines_are_passed_over_and_counted() -> None:
    _, found = rows(b"\n\na,b\n\n1,2\n\r\n3,4\n\n")
    assert told(found) == [(5, ["1", "2"]), (7, ["3", "4"])]


def test_quoted_cells_may_hold_anything() -> None:
    _, found = rows(b'a,b\n"x, ""y""\nz",2\n3,\xc3\xa9\n')
    assert told(found) == [(2, ['x, "y"\nz', "2"]), (4, ["3", "é"])]
    assert found[0].raw == '"x, ""y""\nz",2\n'


def test_ragged_rows_are_bad_and_the_others_are_read() -> None:
    _, found = rows(b"a,b\n1\n2,3\n4,5,6\n7,8\n")
    assert told(found) == [
        (2, "The row has 1 cells, the header 2."),
        (3, ["2", "3"]),
        (4, "The row has 3 cells, the header 2."),
        (5, ["7", "8"]),
    ]
    assert [row.raw for row in found] == ["1\n", "2,3\n", "4,5,6\n", "7,8\n"]


def test_a_quote_that_is_never_closed_costs_one_row() -> None:
    _, found = rows(b'a,b\n1,2\n"3,4\n5,6\n7,8\n')
    assert told(found)[0] == (2, ["1", "2"])
    assert isinstance(found[1].cells, Bad)
    assert (found[1].line, found[1].raw) == (3, '"3,4\n')
    assert told(found)[2:] == [(4, ["5", "6"]), (5, ["7", "8"])]


def test_a_quote_within_a_cell_is_bad() -> None:
    _, found = rows(b'a,b\n"1"x,2\n3,4\n')
    assert isinstance(found[0].cells, Bad)
    assert told(found)[1:] == [(3, ["3", "4"])]


def test_bytes_that_are_no_text_stay_with_their_row() -> None:
    _, found = rows(b"a,b\n\xff,2\n3,4\n")
    assert found[0].raw.encode("utf-8", "surrogateescape") == b"\xff,2\n"
    assert found[1].cells == ["3", "4"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\n \n"[:1], "The file is empty."),
        (b"a,b,a\n", "The header names 'a' more than once."),
        (b"\xff\xfea\x00", "The file is UTF-16; save it as UTF-8."),
        (
            b'"a\n',
            "The header in line 1 cannot be read: The row is no CSV: unexpected end of data.",
        ),
    ],
)
def test_files_that_are_no_table(text: bytes, sentence: str) -> None:
    with pytest.raises(BadFile) as caught:
        rows(text)
    assert str(caught.value) == sentence


def test_a_line_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "IMPORT_LINE_BYTES_MAX", 16)
    _, found = rows(b"a,b\n" + b"x" * 100 + b",1\n3,4\n")
    assert told(found) == [(2, "The line is longer than 16 bytes."), (3, ["3", "4"])]


LINES = st.lists(
    st.text('ab,"\r\x00\udc80é ', max_size=6).map(
        lambda text: text.encode("utf-8", "surrogateescape")
    ),
    max_size=12,
)


@given(LINES, st.sampled_from([b"\n", b"\r\n"]), st.booleans())
@example([b"1,2", b'"1', b'2",2', b"3,4"], b"\n", False)
@example([b"1,2", b"1" * 20 + b",2", b"3,4"], b"\n", True)
def test_lines_taken_apart_at_once_are_the_rows_that_csv_finds(
    told: list[bytes], end: bytes, ended: bool
) -> None:
    text = b"a,b" + end + end.join(told) + (end if ended else b"")
    found = []
    for block_lines in (0, 4):
        with (
            patch.object(lines, "BLOCK_LINES", block_lines),
            patch.object(settings, "IMPORT_LINE_BYTES_MAX", 16),
        ):
            source = Lines(io.BytesIO(text))
            csv_header(source, ",")
            by_width = [(row.line, row.raw, str(row.cells)) for row in csv_rows(source, ",", 2)]
            found.append((by_width, source.bytes_read))
    assert found[0] == found[1]


def test_a_cell_that_is_too_long_for_csv_is_bad() -> None:
    before = csv.field_size_limit(4)
    try:
        _, found = rows(b"a,b\n12345,2\n3,4\n")
    finally:
        csv.field_size_limit(before)
    assert told(found) == [
        (2, "The row is no CSV: field larger than field limit (4)."),
        (3, ["3", "4"]),
    ]


def test_json_lines() -> None:
    text = b'\xef\xbb\xbf{"a": 1}\n\n  \n{"a":\n[1]\n"x"\n\xff{}\n{"a": NaN}\n{"a": 2}'
    found = list(json_rows(Lines(io.BytesIO(text))))
    assert [row.line for row in found] == [1, 4, 5, 6, 7, 8, 9]
    assert [isinstance(row.cells, Bad) for row in found] == [False, *[True] * 5, False]
    assert (found[0].cells, found[-1].cells) == ({"a": 1}, {"a": 2})
    assert str(found[2].cells) == "The line is no JSON object."


def test_looking_ahead_takes_nothing_away() -> None:
    source = Lines(io.BytesIO(b"1\n2\n3\n"))
    assert source.ahead(2) == ["1\n", "2\n"]
    assert source.ahead(5) == ["1\n", "2\n", "3\n"]

    def numbered() -> Iterator[tuple[int, str]]:
        for _ in source:
            yield from source.take()

    assert list(numbered()) == [(1, "1\n"), (2, "2\n"), (3, "3\n")]
    assert source.bytes_read == 6
