"""Lines of a file, numbered and bounded, and rows of cells out of them.

Invariants: a line is at most `settings.IMPORT_LINE_BYTES_MAX` long; the text a row came from is kept until the next row; bytes that are no UTF-8
become lone surrogates, so that only the row that uses them is refused. Units: lines from 1. Errors: Bad for one row, BadFile for the whole."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import pydantic_core
from pydantic import ValidationError

from ledger import settings
from ledger.errors import LedgerError

BLOCK_LINES = 128  # lines of a CSV that are taken apart at once, where each is a row
_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")


class BadFile(LedgerError):
    """The file as a whole cannot be read or written."""

    code = "bad_file"
    hint = "Mend what the message names, then run the same command again."


class Bad(Exception):
    """One row that cannot be imported, and why. `job`: whose it would have been, by project, kind and value, where that can be told."""

    def __init__(self, reason: str, job: tuple[str, str, str] | None = None) -> None:
        super().__init__(reason)
        self.job = job


class Row(NamedTuple):
    """One row of a file: the number of its first line, its text, and its cells, or Bad."""

    line: int
    raw: str
    cells: Any


class Lines:
    """The lines of a stream, read once. `bytes_read` tells how far it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ahead: deque[tuple[int, str | Bad]] = deque()
        self._number = 0
        self.bytes_read = 0
        # The numbers and texts that were handed out since they were last taken away.
        self.handed: list[tuple[int, str]] = []

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        number, text = self._ahead.popleft() if self._ahead else self._read()
        if isinstance(text, Bad):
            self.handed.append((number, ""))
            raise text
        self.handed.append((number, text))
        return text

    def _read(self) -> tuple[int, str | Bad]:
        line = self._stream.readline(settings.IMPORT_LINE_BYTES_MAX)
        if not line:
            raise StopIteration
        self._number += 1
        self.bytes_read += len(line)
        if self._number == 1:
            if line.startswith(_WIDE):
                raise BadFile("The file is UTF-16; save it as UTF-8.")
            line = line.removeprefix(_BOM)
        if len(line) >= settings.IMPORT_LINE_BYTES_MAX and not line.endswith(b"\n"):
            return self._number, self._too_long()
        return self._number, line.decode("utf-8", "surrogateescape")

    def _too_long(self) -> Bad:
        while rest := self._stream.readline(settings.IMPORT_LINE_BYTES_MAX):
            self.bytes_read += len(rest)
            if rest.endswith(b"\n"):
                break
        return Bad(f"The line is longer than {settings.IMPORT_LINE_BYTES_MAX} bytes.")

    def take(self) -> list[tuple[int, str]]:
        """The lines handed out since the last take, with their numbers."""
        handed, self.handed = self.handed, []
        return handed

    def give_back(self, handed: list[tuple[int, str]]) -> None:
        """Hand these lines out again, before any other."""
        self._ahead.extendleft(reversed(handed))

    def block(self) -> list[tuple[int, str]]:
        """Some of the next lines with their numbers, up to the end or to one that is too long to read. Give them back to have them handed out."""
        block: list[tuple[int, str]] = []
        length = 0
        while len(block) < BLOCK_LINES and length < settings.IMPORT_BYTES_MAX:
            try:
                number, text = self._ahead.popleft() if self._ahead else self._read()
            except StopIteration:
                break
            if isinstance(text, Bad):
                self._ahead.appendleft((number, text))
                break
            block.append((number, text))
            length += len(text)
        return block

    def ahead(self, count: int) -> list[str]:
        """At most so many of the next lines, which are still to be handed out. Lines too long to read are left out."""
        while len(self._ahead) < count:
            try:
                self._ahead.append(self._read())
            except StopIteration:
                break
        return [text for _, text in list(self._ahead)[:count] if isinstance(text, str)]


def csv_header(lines: Lines, delimiter: str) -> tuple[str, ...]:
    """The names of a table's columns: its first line that is not empty. Raises BadFile."""
    for row in _one_by_one(lines, delimiter):
        if isinstance(row.cells, Bad):
            raise BadFile(f"The header in line {row.line} cannot be read: {row.cells}")
        names = tuple(row.cells)
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise BadFile(f"The header names {', '.join(map(repr, doubled))} more than once.")
        return names
    raise BadFile("The file is empty.")


def csv_rows(lines: Lines, delimiter: str, width: int | None) -> Iterator[Row]:
    """The rows behind the header. A row that is not as wide as the header is Bad (None: any width will do); empty lines are passed over."""
    yield from _records(lines, delimiter, width)


def csv_objects(
    lines: Lines, header: tuple[str, ...], read: Callable[[dict[str, str]], dict[str, Any] | Bad]
) -> Iterator[Row]:
    """The rows of a CSV as objects, by the header's names; `read` makes of text what it stands for. Empty cells are left out."""
    for row in _records(lines, ",", len(header)):
        if isinstance(row.cells, Bad):
            yield row
        else:
            cells = {name: cell for name, cell in zip(header, row.cells, strict=True) if cell}
            yield row._replace(cells=read(cells))


def _records(lines: Lines, delimiter: str, width: int | None) -> Iterator[Row]:
    while True:
        block = lines.block()
        at_once = _at_once([text for _, text in block], delimiter) if block else None
        if at_once is not None:
            for (number, raw), cells in zip(block, at_once, strict=True):
                if cells:
                    fits = width is None or len(cells) == width
                    yield Row(number, raw, cells if fits else _uneven(cells, width))
            continue
        lines.give_back(block)
        for row in _one_by_one(lines, delimiter, width):
            yield row
            if not block or row.line >= block[-1][0]:
                break
        else:
            return


def _at_once(texts: list[str], delimiter: str) -> list[list[str]] | None:
    """The cells of lines that are each a row; None where they are not. Without quotes they are split, in a third of the time that csv takes."""
    bare = [text.rstrip("\r\n") for text in texts]
    together = "".join(bare)
    short = max(map(len, bare)) <= csv.field_size_limit()
    if short and '"' not in together and "\r" not in together:
        return [text.split(delimiter) if text else [] for text in bare]
    try:
        rows = list(csv.reader(texts, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows if len(rows) == len(texts) else None


def _uneven(cells: list[str], width: int | None) -> Bad:
    return Bad(f"The row has {len(cells)} cells, the header {width}.")


def _one_by_one(lines: Lines, delimiter: str, width: int | None = None) -> Iterator[Row]:
    lines.take()
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        try:
            cells: Any = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = Bad(f"The row is no CSV: {error}.")
        except Bad as error:
            cells = error
        if width is not None and cells and not isinstance(cells, Bad) and len(cells) != width:
            cells = _uneven(cells, width)
        handed = lines.take()
        if isinstance(cells, Bad) and len(handed) > 1:
            # A quote that is never closed swallows the lines behind it: they get a chance of their own.
            lines.give_back(handed[1:])
            handed = handed[:1]
        if cells:
            number, raw = handed[0]
            if len(handed) > 1:
                raw = "".join([text for _, text in handed])
            yield Row(number, raw, cells)


def json_rows(lines: Lines) -> Iterator[Row]:
    """The JSON objects of NDJSON, one a line; empty lines are passed over."""
    lines.take()
    while True:
        try:
            text: str | Bad = next(lines)
        except StopIteration:
            return
        except Bad as error:
            text = error
        ((number, raw),) = lines.take()
        if isinstance(text, Bad):
            yield Row(number, raw, text)
        elif text.strip():
            yield Row(number, raw, _object(text))


def _object(text: str) -> dict[str, Any] | Bad:
    try:
        value = pydantic_core.from_json(text.encode("utf-8", "surrogatepass"), allow_inf_nan=False)
    except ValueError as error:
        return Bad(f"The line is no JSON: {error}.")
    return value if isinstance(value, dict) else Bad("The line is no JSON object.")


def sentence(error: ValidationError) -> str:
    """The first thing that pydantic found, as a sentence."""
    found: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    # Steps with a bracket or a prefix are pydantic's own names of types, of which a union tries several.
    steps = (str(step) for step in found["loc"])
    place = ".".join(
        step for step in steps if "[" not in step and not step.startswith("constrained-")
    )
    text = found["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{place}: {text}." if place else f"{text}."
