"""GoGrid's XML: the jobs of one answer after another.

Invariants: a document type, and so every entity but XML's own five, is refused before anything of it is read; memory holds one job; jobs that stand
before a fault are handed out. A value is text, None where its element is empty. Units: lines from 1; a job is at most
`settings.IMPORT_DOCUMENT_BYTES_MAX` long. Errors: Bad, in the row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from xml.parsers import expat

import pydantic_core

from api.transfer.foreign import java_map
from api.transfer.lines import Bad, Row
from ledger import settings

CHUNK_BYTES = 64 * 1024
ELEMENT_BYTES = 64  # about what an element takes in memory beside its text

_END = b"</gogrid>"  # nothing but the end of an answer looks like this, since text has no bare <


class _Refused(Exception):
    """Something that an answer does not hold."""


def rows(stream: BinaryIO) -> Iterator[Row]:
    """Every job, as the JSON would have it but for numbers, which are text."""
    line = 1
    answer: _Answer | None = None
    for piece, ends in _pieces(stream):
        if answer is None:
            text = piece.lstrip()
            line += piece.count(b"\n") - text.count(b"\n")
            if not text:
                continue
            answer, piece = _Answer(line), text  # noqa: PLW2901 - nothing stands before a prolog
        yield from answer.feed(piece, ends=ends)
        line += piece.count(b"\n")
        if ends:
            answer = None


def _pieces(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """The stream piece by piece, and whether an answer ends with it."""
    held = b""
    while chunk := stream.read(CHUNK_BYTES):
        held += chunk
        while (at := held.find(_END)) >= 0:
            at += len(_END)
            yield held[:at], True
            held = held[at:]
        if (kept := len(held) - len(_END)) > 0:
            yield held[:kept], False
            held = held[kept:]
    yield held, True


@dataclass(slots=True)
class _Element:
    """An element that is still open, and what it holds so far."""

    tag: str
    name: str
    inner: list[tuple[str, Any]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def value(self) -> Any:
        """An object by its attributes' names, a list, or text."""
        if self.tag == "object":
            return {"object": self.name, **dict(self.inner)}
        if self.tag == "list":
            return [value for _, value in self.inner]
        return self.inner[-1][1] if self.inner else "".join(self.text) or None


class _Answer:
    """One document. `line` is where it begins."""

    def __init__(self, line: int) -> None:
        self._line = line
        self._begun = line  # the line of the job that is being read
        self._open: list[_Element] = []
        self._depth = 0
        self._size_bytes = 0
        self._found: list[Row] = []
        self._failed = False
        parser = self._parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def feed(self, piece: bytes, *, ends: bool) -> Iterator[Row]:
        """The jobs that are whole with this piece. After a fault there are no more."""
        if self._failed:
            return
        self._size_bytes += len(piece)
        try:
            self._parser.Parse(piece, ends)
            if self._size_bytes > settings.IMPORT_DOCUMENT_BYTES_MAX:
                raise _Refused(
                    f"The job is longer than {settings.IMPORT_DOCUMENT_BYTES_MAX} bytes."
                )
        except (expat.ExpatError, _Refused, ValueError, LookupError) as error:
            self._failed = True
            at = self._line + self._parser.CurrentLineNumber - 1
            reason = f"This is no XML of GoGrid's: {str(error).rstrip('.')}. What stands behind it in this answer is passed over."
            self._found.append(Row(at, "", Bad(reason)))
        found, self._found = self._found, []
        yield from found

    def _doctype(self, *_: Any) -> None:
        raise _Refused("it declares a document type, which no answer does")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > settings.IMPORT_MARKUP_DEPTH_MAX:
            raise _Refused(
                f"its elements are nested deeper than {settings.IMPORT_MARKUP_DEPTH_MAX} levels"
            )
        if self._open:
            self._size_bytes += ELEMENT_BYTES
        elif tag == "object":
            self._begun = self._line + self._parser.CurrentLineNumber - 1
        else:
            self._size_bytes = 0
            return
        self._open.append(_Element(tag, attributes.get("name", tag)))

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].text.append(text)
        else:
            self._size_bytes = 0

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if not self._open:
            return
        element = self._open.pop()
        value = element.value()
        if self._open:
            self._open[-1].inner.append((element.name, value))
            return
        self._size_bytes = 0
        if isinstance(value.get("detail"), str):
            value["detail"] = java_map.parse(value["detail"])
        raw = pydantic_core.to_json(value).decode()
        self._found.append(Row(self._begun, raw, value))
