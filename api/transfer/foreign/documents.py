"""JSON documents of a stream, one after another, and the jobs in them.

Invariants: an envelope's list is handed out job by job, so memory holds one job and never the list; a document may span lines, or be one of many on a
line of their own. A document that breaks off is one reject, and reading goes on at the next line that is a whole document by itself.
Units: lines from 1; a job is at most `settings.IMPORT_DOCUMENT_BYTES_MAX` long. Errors: Bad, in the row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pydantic_core

from api.transfer.lines import Bad, Row
from ledger import settings

CHUNK_BYTES = 256 * 1024

_BOM = b"\xef\xbb\xbf"

# A string, whole or as far as it is there, or a bracket: all that matters for where a value ends.
_MARK = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[\[\]{}]', re.DOTALL)
_BLANK = re.compile(rb"[\s,]*+")
_COLON_ARRAY = re.compile(rb"\s*+:\s*+\[")
_SCALAR_END = re.compile(rb"[\s,\]}\[{\"]")
_OPENING = b"[{"


class _Broken(Exception):
    """The document cannot be followed any further."""


def reader(*lists: str) -> Callable[[BinaryIO], Iterator[Row]]:
    """Rows of documents: each element of a bare array or of an envelope's `lists`, else the document itself."""
    keys = frozenset(pydantic_core.to_json(key) for key in lists)
    return lambda stream: _Documents(stream, keys).rows()


class _Documents:
    def __init__(self, stream: BinaryIO, keys: frozenset[bytes]) -> None:
        self._stream = stream
        self._keys = keys
        self._buffer = b""
        self._at = 0  # where in the buffer reading stands
        self._line = 1  # the line of that place
        self._ended = False
        self._one_a_line = False
        self._start = (
            0  # where in the buffer, and on which line, the value begins that is being read
        )
        self._start_line = 1

    def rows(self) -> Iterator[Row]:
        """Every job, and what is none."""
        while len(self._buffer) < len(_BOM) and self._fill():
            pass
        if self._buffer.startswith(_BOM):
            self._at = len(_BOM)
        while self._skip_blank():
            self._begin()
            if self._one_a_line:
                yield from self._line_document()
                continue
            try:
                yield from self._document()
            except _Broken as broken:
                yield self._bad(str(broken))
                self._resume()

    # --- one document ---

    def _document(self) -> Iterator[Row]:
        first = self._buffer[self._at : self._at + 1]
        if first == b"[":
            self._pass(self._at + 1)
            yield from self._elements()
        elif first == b"{":
            yield from self._object()
        else:
            raise _Broken("This is no JSON document: it begins with neither { nor [.")

    def _object(self) -> Iterator[Row]:
        """An envelope, whose list is read element by element, or a job by itself."""
        depth, listed = 0, False
        for mark, end in self._marks():
            depth += _step(mark)
            if depth == 0:
                break
            if depth == 1 and mark in self._keys and self._opens_list(end):
                yield from self._elements()
                self._begin()
                listed = True
        if not listed:
            yield self._row()

    def _elements(self) -> Iterator[Row]:
        """The elements of an array that was just opened, to its end."""
        while True:
            if not self._skip_blank():
                raise _Broken("The document breaks off within a list.")
            self._begin()
            first = self._buffer[self._at : self._at + 1]
            if first == b"]":
                self._pass(self._at + 1)
                return
            if first == b"}":
                raise _Broken("The document is no JSON: a list ends in }.")
            if first in (b"{", b"["):
                depth = 0
                for mark, _ in self._marks():
                    depth += _step(mark)
                    if depth == 0:
                        break
            else:
                self._pass_scalar()
            yield self._row()

    def _pass_scalar(self) -> None:
        """Pass over a value that is neither object nor list."""
        if self._buffer[self._at : self._at + 1] == b'"':
            next(self._marks())
            return
        while (found := _SCALAR_END.search(self._buffer, self._at)) is None:
            if not self._fill():
                raise _Broken("The document breaks off within a value.")
        self._pass(max(found.start(), self._at + 1))

    def _opens_list(self, end: int) -> bool:
        """Whether the key that ends here has a list for its value; if so, reading stands in it."""
        while True:
            if found := _COLON_ARRAY.match(self._buffer, end):
                self._pass(found.end())
                return True
            if self._buffer[end:].strip() not in (b"", b":"):
                return False
            kept = end - self._start
            if not self._fill():
                return False
            end = self._start + kept

    # --- the buffer ---

    def _marks(self) -> Iterator[tuple[bytes, int]]:
        """Strings and brackets from here on, each with its end; reading stands behind the last one taken."""
        while True:
            found = _MARK.search(self._buffer, self._at)
            if found is None:
                self._pass(len(self._buffer))
            elif found[0][:1] != b'"' or found[1]:
                self._pass(found.end())
                yield found[0], found.end()
                continue
            else:
                self._pass(found.start())
            if not self._fill():
                raise _Broken("The document breaks off.")

    def _fill(self) -> bool:
        """Read on; whether there was more. What lies before the value that is being read is let go."""
        if self._ended:
            return False
        if len(self._buffer) - self._start > settings.IMPORT_DOCUMENT_BYTES_MAX:
            raise _Broken(f"The job is longer than {settings.IMPORT_DOCUMENT_BYTES_MAX} bytes.")
        more = self._stream.read(CHUNK_BYTES)
        self._ended = not more
        self._buffer = self._buffer[self._start :] + more
        self._at -= self._start
        self._start = 0
        return bool(more)

    def _begin(self) -> None:
        """A value begins here."""
        self._start, self._start_line = self._at, self._line

    def _pass(self, to: int) -> None:
        self._line += self._buffer.count(b"\n", self._at, to)
        self._at = to

    def _skip_blank(self) -> bool:
        """Stand on the next thing that is said; False at the end."""
        while True:
            found = _BLANK.match(self._buffer, self._at)
            assert found is not None
            self._pass(found.end())
            if self._at < len(self._buffer):
                return True
            self._begin()
            if not self._fill():
                return False

    # --- rows ---

    def _row(self) -> Row:
        """The value that was just read."""
        return _row(self._start_line, self._buffer[self._start : self._at])

    def _bad(self, reason: str) -> Row:
        end = self._buffer.find(b"\n", self._start)
        text = self._buffer[self._start : None if end < 0 else end]
        return Row(
            self._start_line,
            text[: settings.IMPORT_LINE_BYTES_MAX].decode("utf-8", "surrogateescape"),
            Bad(f"{reason} Reading goes on at the next line that is a whole document."),
        )

    # --- after a document that broke off ---

    def _resume(self) -> None:
        """Go back to the line behind the one where the broken value began, and on to one that is whole."""
        self._at, self._line = self._start, self._start_line
        self._take_line()
        while self._skip_blank():
            self._begin()
            text = self._take_line()
            if isinstance(_parsed(text), dict | list):
                self._at, self._line = self._start, self._start_line
                self._one_a_line = True
                return

    def _take_line(self) -> bytes:
        """The rest of this line, at most so much as a job may be long."""
        while (end := self._buffer.find(b"\n", self._at)) < 0:
            if len(self._buffer) - self._start > settings.IMPORT_DOCUMENT_BYTES_MAX:
                self._pass(len(self._buffer))
                self._begin()  # what is too long is let go bit by bit
            if not self._fill():
                end = len(self._buffer) - 1
                break
        begun = self._at
        self._pass(end + 1)
        return self._buffer[begun : end + 1]

    def _line_document(self) -> Iterator[Row]:
        """A document on a line of its own, read at once: where one broke off, brackets prove nothing any more."""
        text = self._take_line()
        value = _parsed(text)
        if isinstance(value, dict):
            key = next((key for key in value if pydantic_core.to_json(key) in self._keys), None)
            value = value[key] if key is not None and isinstance(value[key], list) else [value]
        if isinstance(value, list):
            yield from (
                _row(self._start_line, pydantic_core.to_json(one, inf_nan_mode="constants"))
                for one in value
            )
        else:
            yield self._bad("The line is no JSON document.")


def _step(mark: bytes) -> int:
    return 0 if mark[0] == 0x22 else 1 if mark in _OPENING else -1


def _row(line: int, text: bytes) -> Row:
    value = _parsed(text)
    if isinstance(value, ValueError):
        value = Bad(f"This is no JSON: {value}.")
    elif not isinstance(value, dict):
        value = Bad("This is no JSON object.")
    return Row(line, text.decode("utf-8", "surrogateescape"), value)


def _parsed(text: bytes) -> Any:
    try:
        return pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError as error:
        return error
