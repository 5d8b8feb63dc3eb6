"""A client's journal: what it asked before it asked, what it was told after it was told, on disk before it goes on.

Invariants: one JSON document a line, synced; a line that was cut short by a kill is no line; the name of an operation is unique across all
journals and stands in the note of each event it asks for. Units: times are nanoseconds of the machine's monotonic clock, one for all processes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self


class Outcome(StrEnum):
    """What a client was told."""

    OK = "ok"  # it is saved
    FAIL = "fail"  # it is not, and never will be
    UNKNOWN = "unknown"  # a timeout, a reset, a 5xx


@dataclass(frozen=True)
class Said:
    """One event that a client asks for. `job` is None where the server names it."""

    topic: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    job: str | None = None


@dataclass(frozen=True)
class Sent:
    """An operation is on its way. The same operation again is a retry under the same key."""

    operation: str
    said: tuple[Said, ...]
    at_ns: int


@dataclass(frozen=True)
class Told:
    """What came of it. `answer` is whatever must be the same when it is told again."""

    operation: str
    outcome: Outcome
    at_ns: int
    answer: Any = None


@dataclass(frozen=True)
class Saw:
    """A follower read these events, each by position and id, in this order. It begins at position 1."""

    follower: str
    events: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Looked:
    """A reader was shown a job (None: that there is no such job) as of a position."""

    job: str
    position: int
    seen: Mapping[str, Any] | None


Line = Sent | Told | Saw | Looked
_KINDS: Mapping[str, type[Line]] = {"sent": Sent, "told": Told, "saw": Saw, "looked": Looked}


class Journal:
    """Written by one client. `sync=False` where a kill of the client itself is not part of the test."""

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._sync = sync

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def sent(self, operation: str, said: Sequence[Said]) -> None:
        """Before it is sent."""
        self._write("sent", Sent(operation, tuple(said), time.monotonic_ns()))

    def told(self, operation: str, outcome: Outcome, answer: Any = None) -> None:
        """After the answer, or what stands for one, has come."""
        self._write("told", Told(operation, outcome, time.monotonic_ns(), answer))

    def saw(self, follower: str, events: Sequence[tuple[int, str]]) -> None:
        """After events were read."""
        self._write("saw", Saw(follower, tuple(events)))

    def looked(self, job: str, position: int, seen: Mapping[str, Any] | None) -> None:
        """After a job was read."""
        self._write("looked", Looked(job, position, seen))

    def _write(self, kind: str, line: Line) -> None:
        text = json.dumps({"kind": kind, **asdict(line)}, ensure_ascii=True)
        os.write(self._descriptor, text.encode() + b"\n")
        if self._sync:
            os.fdatasync(self._descriptor)


def read(path: Path) -> Iterator[Line]:
    """The lines of a journal, in order."""
    for text in path.read_bytes().split(b"\n")[:-1]:
        values = json.loads(text)
        kind = _KINDS[values.pop("kind")]
        if kind is Sent:
            values["said"] = tuple(Said(**one) for one in values["said"])
        elif kind is Told:
            values["outcome"] = Outcome(values["outcome"])
        elif kind is Saw:
            values["events"] = tuple((position, event) for position, event in values["events"])
        yield kind(**values)
