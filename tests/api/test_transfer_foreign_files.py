"""Files of responses: how they are split up into jobs, memory, and files that are out to harm.

Invariants: no database; what is no job is Bad with a reason, and reading goes on where that can be told."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from api.transfer.foreign import SYSTEMS, documents
from api.transfer.lines import Bad
from ledger import settings
from tests.fix_foreign import golden, histories, rows, told
from tests.fix_gogrid import GET, tell


@pytest.mark.parametrize("between", ["", "\n", "\n\n  ", " "])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("chunk", [1, 7, documents.CHUNK_BYTES])
def test_documents_follow_one_another(
    monkeypatch: pytest.MonkeyPatch, between: str, indent: int | None, chunk: int
) -> None:
    monkeypatch.setattr(documents, "CHUNK_BYTES", chunk)
    page = {
        "summary": {"list": [1, {"x": "]}"}]},
        "list": [{"id": 1, "s": 'a"\\]}'}, {"id": 2}],
        "z": [[]],
    }
    said: tuple[Any, ...] = (page, {"id": 3}, [{"id": 4}], {"list": []})
    texts = (json.dumps(one, indent=indent) for one in said)
    found = rows("gogrid-json", "\ufeff" + between.join(texts))
    assert [row.cells["id"] for row in found] == [1, 2, 3, 4]
    assert [json.loads(row.raw)["id"] for row in found] == [1, 2, 3, 4]


def test_a_row_knows_its_line() -> None:
    text = '{"list": [\n{"id": 1},\n\n{"id":\n2}]}\n{"list": [{"id": 3}]}'
    assert [row.line for row in rows("gogrid-json", text)] == [2, 4, 6]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"list":[{"id":1},{"id":2,\n{"list":[{"id":3}]}\n{"list":[{"id":4}]}\n', [1, "Bad", 3, 4]),
        ('nonsense\n{"list":[{"id":1}]}\n{"list":[{"i\n{"list":[{"id":2}]}\n', ["Bad", 1, "Bad", 2]),
        ('{"list":[{"id":1}, 5, "x", [1], {"id": NaN}, {"id":2}]}', [1, "Bad", "Bad", "Bad", "Bad", 2]),
        ('{"list":[{"id":1}}', [1, "Bad"]),
        ('{"list":[{"id":1}', [1, "Bad"]),
        ('{"list":["abc', ["Bad"]),
        ('{"list":[12', ["Bad"]),
        ('{"list"', ["Bad"]),
        ("[" * 100_000, ["Bad"]),
        ('{"a":' * 100_000, ["Bad"]),
        ("\x00\x01\x02", ["Bad"]),
        ("", []),
    ],
)  # fmt: skip
def test_documents_that_break_off(text: str, found: list[Any]) -> None:
    told_of = [
        "Bad" if isinstance(row.cells, Bad) else row.cells["id"]
        for row in rows("gogrid-json", text)
    ]
    assert told_of == found


def test_a_job_that_is_too_long_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "IMPORT_DOCUMENT_BYTES_MAX", 1_000)
    monkeypatch.setattr(documents, "CHUNK_BYTES", 512)
    for text in ('{"list":[{"id":"' + "x" * 9_000, "[" + "1" * 9_000, '["' + "x" * 9_000):
        [row] = rows("gogrid-json", text)
        assert isinstance(row.cells, Bad)
        assert "longer than 1000 bytes" in str(row.cells)


class _Endless:
    """A list of so many jobs, made while it is read."""

    def __init__(self, before: bytes, job: bytes, after: bytes, count: int) -> None:
        self._pieces: Iterator[bytes] = iter([before, *[job] * count, after])
        self._held = b""

    def read(self, size: int) -> bytes:
        while len(self._held) < size and (piece := next(self._pieces, b"")):
            self._held += piece
        found, self._held = self._held[:size], self._held[size:]
        return found

    def readline(self, size: int) -> bytes:
        while b"\n" not in self._held and (piece := next(self._pieces, b"")):
            self._held += piece
        end = self._held.find(b"\n") + 1 or len(self._held)
        found, self._held = self._held[:end], self._held[end:]
        return found


@pytest.mark.parametrize("form", ["json", "xml", "csv"])
def test_memory_does_not_grow_with_the_list(form: str) -> None:
    """Sixty times the jobs, the same memory."""
    peaks = []
    text = tell(GET, tuple(told("gogrid-json", golden("json"))), f"id=60531&format={form}").body
    begin = {"json": b"{", "xml": b'<object name="job">', "csv": b"60531,"}[form]
    end = {"json": b'"}]', "xml": b"</list></response>", "csv": b""}[form]
    at = text.index(begin, 1 if form == "json" else 0)
    until = text.index(end) + (2 if form == "json" else 0) if end else len(text)
    comma = b"," if form == "json" else b""
    for count in (50, 3_000):
        parts = (text[:at], text[at:until] + comma, text[at:until] + text[until:])
        stream: Any = _Endless(*parts, count - 1)
        tracemalloc.start()
        assert (
            sum(1 for row in SYSTEMS[f"gogrid-{form}"].read(stream) if row.cells["owner"]) == count
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 6 * documents.CHUNK_BYTES


# --- files that are out to harm ---

BOMB = (
    '<!DOCTYPE g [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    '<gogrid><response><list><object name="job">&b;</object></list></response></gogrid>'
)
FILE = '<!DOCTYPE g [<!ENTITY x SYSTEM "file:///etc/passwd">]><gogrid>&x;</gogrid>'
REMOTE = '<?xml version="1.0"?><!DOCTYPE g SYSTEM "http://x/"><gogrid/>'


@pytest.mark.parametrize("text", [BOMB, FILE, REMOTE, "<!DOCTYPE html><gogrid/>"])
def test_a_document_type_is_refused(text: str) -> None:
    [row] = rows("gogrid-xml", text)
    assert "document type" in str(row.cells)


@pytest.mark.parametrize(
    ("text", "found", "bad"),
    [
        (golden("xml") + "\n" + '<?xml version="1.0" encoding="UTF-8"?>' + golden("xml"), 2, 0),
        (golden("xml").replace("</gogrid>", "") + golden("xml"), 2, 1),
        ("<gogrid>" + '<object name="job"><attribute name="id">5' + golden("xml"), 0, 1),
        ("<gogrid>" + '<object name="job"></gogrid>' + golden("xml"), 1, 1),
        ("<gogrid>" + "<a>" * 1_000, 0, 1),
        ("not XML", 0, 1),
        ("<gogrid>&lol;</gogrid>", 0, 1),
        ("<gogrid>\x00</gogrid>", 0, 1),
        ('<?xml version="1.0" encoding="klingon"?><gogrid></gogrid>', 0, 1),
        ("  \n ", 0, 0),
    ],
)
def test_xml_that_is_none(text: str, found: int, bad: int) -> None:
    read = rows("gogrid-xml", text)
    assert sum(not isinstance(row.cells, Bad) for row in read) == found
    assert sum(isinstance(row.cells, Bad) for row in read) == bad


def test_an_xml_job_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "IMPORT_DOCUMENT_BYTES_MAX", 100_000)
    endless = '<gogrid><list><object name="job"><attribute name="owner">' + "x" * 300_000
    for text in (endless, f"<gogrid a='{'x' * 300_000}", "<gogrid><object>" + "<list/>" * 30_000):
        assert any("longer than" in str(row.cells) for row in rows("gogrid-xml", text))


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("60531,a,1\n", ["No line of column names"]),
        ("# SUCCESS, /x, TOTAL, 0\n# id,name,description\n1,a,b,\n", ["is missing", "No job"]),
        ('# FAILURE, /x, TOTAL, 1\n# message,errorcode\n"no",x,\n', ["request that failed", "No job"]),
        (golden("csv") + "1,2\n", ["2 cells for 39 columns"]),
        (golden("csv").replace("60531,", "x,"), ["no whole number"]),
        (golden("csv").replace("3,Succeeded", "99,Bogus"), ["none of GoGrid's states"]),
        ('"unclosed\n', ["no CSV"]),
    ],
)  # fmt: skip
def test_csv_that_is_none(text: str, reasons: list[str]) -> None:
    _, bad = histories("gogrid-csv", text)
    for (_, told_of), reason in zip(bad, reasons, strict=False):
        assert reason in told_of or reason == "No job"
    assert bad
