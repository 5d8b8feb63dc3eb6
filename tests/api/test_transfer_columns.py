"""Rows told at once: what is told of a block is, to the byte, what is told of its rows one by one. Seen red with: the time of an end where the status
is none, a time without its step, the first member's comma, a percent sign in a name, a quote in a cell, long names of wide characters, times that run
backwards, and an empty constant taken for no value."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.transfer.columns import Columns, Plain
from api.transfer.lines import Bad, Row
from api.transfer.map import parse
from api.transfer.members import NotPlain
from api.transfer.table import Table
from ledger import arrays, bulk
from ledger.bulk import Addition, Batch
from ledger.imported import History
from tests.histories import texts

HEADER = (
    *("name", "kind", "number", "id", "asked", "object", "about", "text", "count", "good"),
    *("created", "queued", "started", "ended", "status", "note"),
)
MAP = """
[job]
source_id = "name"
type = {column = "kind", default = "Job 100%%"}
owner = {value = "importer"}
request_id = "asked"
object = "object"
description = {column = "about", default = "about"}
detail = [{column = "text", name = "%% \\"text\\""}, {column = "count", as = "number"}, {column = "good", as = "boolean"}]
%s
[times]
created = "created"
queued = "queued"
started = "started"
ended = "ended"
zone = "UTC"
[status]
column = "status"
note = "note"
[status.values]
new = "created"
waiting = "queued"
running = "processing"
done = "succeeded"
broken = {state = "failed", kind = "exception"}
odd = {state = "failed", kind = "item_errors"}
refused = {state = "failed", kind = "rejected"}
off = "canceled"
"""
C, Q, S, E = (f"2024-01-0{day}T00:00:00.5" for day in range(1, 5))
# Times and statuses that go together.
COURSES = (
    *((C, "", "", "", "new"), (C, Q, "", "", "waiting"), (C, "", "", "", "waiting")),
    *((C, Q, S, "never", "running"), (C, "", S, "", "running"), (C, "", "", E, "running")),
    *((C, Q, S, E, "done"), (C, "", "", E, "done"), (C, "", "", "", "done"), (C, C, C, C, "done")),
    *((C, Q, "", E, "broken"), (C, Q, "", E, "odd"), (C, "", "", E, "refused"), (C, "", S, E, "off")),
)  # fmt: skip
# What else a row may say, by column.
WORDS = {
    "name": ("a", "b", "é 😀", "é" * 128),
    "kind": ("x", "", "%s %d"),
    "number": ("7", "1", "20", "007"),
    "id": ("", "00000000-0000-0000-0000-000000000007"),
    "asked": ("", "r"),
    "object": ("", "web", 'a "b"\\', "two\nlines"),
    "about": ("", "words", "w" * 600),
    "text": ("", "t", "é"),
    "count": ("", "007", "-1.50", "1e3", str(2**70)),
    "good": ("", "yes", "0"),
}
HOSTILE = st.sampled_from(
    ["", "\x00", "\ud800", "0", "-1", "x" * 513, "é" * 300, "x" * 17_000, "9" * 17, "2100-01-01", C, E]
) | texts()  # fmt: skip


def row(draw: st.DrawFn) -> list[str]:
    cells = [draw(st.sampled_from(said)) for said in WORDS.values()]
    course = draw(st.sampled_from(COURSES))
    cells += [*course, draw(st.sampled_from(["", "", "why"])) if course[-1] != "new" else ""]
    if draw(st.integers(0, 9)) == 0:
        cells[draw(st.integers(0, len(cells) - 1))] = draw(HOSTILE)
    return cells


@st.composite
def blocks(draw: st.DrawFn) -> list[Row]:
    """Rows that may be of one kind or of several."""
    rows = [row(draw) for _ in range(draw(st.integers(1, 4)))]
    return [
        Row(line, _text(cells), cells)
        for line, cells in enumerate(draw(st.lists(st.sampled_from(rows), min_size=1)), 2)
    ]


def _text(cells: list[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerow(cells)
    return stream.getvalue()


def reading(more: str = "", map_text: str = MAP) -> tuple[Table, Columns]:
    """A table and its columns, each with numbers of its own, which are the same."""
    map_ = parse(map_text % more)
    tables = [
        Table(map_, HEADER, project="p", actor='ann "%s"', new_number=count(100).__next__)
        for _ in range(2)
    ]
    return tables[0], Columns(tables[1], map_, HEADER, count(100).__next__)


def one_by_one(table: Table, rows: Sequence[Row]) -> list[History] | None:
    """The histories of rows that are all told."""
    try:
        return [table.history(row) for row in rows]
    except Bad:
        return None


def cells_of(array: arrays.Array) -> list[bytes]:
    """The cells of an array."""
    cells, at = [], 0
    while at < len(array.cells):
        length = max(0, int.from_bytes(array.cells[at : at + 4], "big", signed=True))
        cells.append(array.cells[at : at + 4 + length])
        at += 4 + length
    assert len(cells) == array.length
    return cells


def said(batch: Batch, *, by_id: bool) -> Any:
    """What a batch says, but for what is drawn by chance: jobs by their places, unless they bring their ids, and their names in any order."""
    jobs, versions, topics, ids, times, states, credentials, projects, salts, *others = map(
        cells_of, batch
    )
    assert len(set(ids)) == len(set(salts)) == len(jobs)
    places = {job: nth for nth, job in enumerate(dict.fromkeys(jobs))}
    named = sorted((places[job], *rest) for job, *rest in zip(*others[3:], strict=True))
    whose = jobs if by_id else [places[job] for job in jobs]
    assert not any(others[:3])
    return whose, versions, topics, times, states, credentials, projects, named


@pytest.mark.parametrize(
    ("more", "map_text"),
    [
        ("", MAP),
        ('number = "number"', MAP),
        ('id = "id"', MAP),
        ("", MAP.replace('queued = "queued"', 'queued = "created"')),
    ],
    ids=["numbers drawn", "numbers", "ids", "queueing assumed"],
)
@given(rows=blocks())
def test_a_block_is_told_as_its_rows_are(more: str, map_text: str, rows: list[Row]) -> None:
    table, columns = reading(more, map_text)
    plain = columns.plain(rows)
    if plain is None:
        return
    histories = one_by_one(table, rows)
    assert histories is not None
    by_id = all(history.by_id for history in histories)
    if len({history.job_id for history in histories}) == len(histories):
        additions = [Addition(history, history.claims) for history in histories]
        assert said(plain.batch, by_id=by_id) == said(bulk.pack(additions), by_id=by_id)
    assert plain.events == sum(len(history.claims) for history in histories)
    assert list(plain.drawn) == [h.creation.number for h in histories if h.drawn and h.creation]


ALL_OF_THEM = [
    [*words, *course, note]
    for words in zip(*(said * 4 for said in WORDS.values()), strict=False)
    for course in COURSES
    for note in (["", "why"] if course[-1] != "new" else [""])
]


@pytest.mark.parametrize("more", ["", 'number = "number"', 'id = "id"'])
def test_rows_without_a_fault_are_plain(more: str) -> None:
    table, columns = reading(more)
    rows = [Row(line, _text(cells), cells) for line, cells in enumerate(ALL_OF_THEM, 2)]
    plain = columns.plain(rows)
    assert plain is not None
    histories = one_by_one(table, rows)
    assert histories is not None
    assert plain.events == sum(len(history.claims) for history in histories)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("name", ""), ("name", "n" * 513), ("name", "é" * 257), ("name", "\x00"), ("name", "\ud800"),
        ("count", "nan"), ("count", "many"), ("good", "maybe"), ("text", "\x00"), ("about", "w" * 16_385), ("about", "w" * 30_000),
        ("created", ""), ("created", "2024-01-09"), ("created", "yesterday"), ("ended", "2100-01-01"), ("ended", "never"),
        ("status", "lost"), ("status", ""), ("status", "waiting"), ("note", "n" * 16_385), ("object", "\x00"),
    ],
)  # fmt: skip
def test_one_cell_has_its_block_told_one_by_one(column: str, cell: str) -> None:
    cells = ["a", "x", "7", "", "", "web", "", "", "1", "", C, Q, S, E, "done", ""]
    _, columns = reading()
    good = Row(2, _text(cells), cells)
    other = dict(zip(HEADER, cells, strict=True)) | {column: cell}
    assert drawn(columns.plain([good])) == [100]
    assert columns.plain([good, Row(3, _text([*other.values()]), [*other.values()])]) is None
    assert columns.plain([good, Row(3, "", Bad("torn"))]) is None
    assert drawn(columns.plain([good, good])) == [101, 102]


@pytest.mark.parametrize("cell", ["", "0", "-1", "+1", "1_0", "٣", "9" * 17, "one"])
def test_a_number_that_is_not_plain(cell: str) -> None:
    _, columns = reading('number = "number"')
    good, other = (
        Row(2, number, ["a", "x", number, *[""] * 7, C, "", "", "", "new", ""])
        for number in ("1", cell)
    )
    assert columns.plain([good]) is not None
    assert columns.plain([good, other]) is None


def drawn(plain: Plain | None) -> list[int]:
    assert plain is not None
    return list(plain.drawn)


@pytest.mark.parametrize(
    "more",
    [
        'command = {value = ""}', 'command = {column = "kind", default = ""}', "command = {value = 5}", "number = {value = 5}",
        'number = {column = "number", default = 5}', f'command = {{value = "{"x" * 30_000}"}}',
    ],
)  # fmt: skip
def test_a_map_of_which_no_row_is_plain(more: str) -> None:
    with pytest.raises(NotPlain):
        reading(more)


def test_of_two_members_with_one_name_the_last_counts_so_that_no_row_is_plain() -> None:
    with pytest.raises(NotPlain):
        reading(map_text=MAP.replace('"count", as', '"count", name = "good", as'))


def test_json_is_read_row_by_row() -> None:
    table, columns = reading(map_text=MAP.replace('"boolean"', '"json"'))
    for cell, is_plain in (("", True), ('{"a": 1}', False)):
        cells = ["a", "x", "", "", "", "", "", "", "", cell, C, "", "", "", "new", ""]
        (row,) = rows = [Row(2, _text(cells), cells)]
        assert (columns.plain(rows) is not None) == is_plain
        assert table.history(row).creation is not None
