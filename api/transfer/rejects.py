"""Rejects: the rows that were not imported, where they stand, and why.

Invariants: a reject has the number of its first line, a sentence, and the row's own text; the file is made with the first one, as CSV or NDJSON
by the end of its name. Units: lines from 1. Errors: BadFile when it cannot be written."""

from __future__ import annotations

import csv
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TextIO

import pydantic_core

from api.transfer.lines import BadFile

SHOWN_MAX = 5  # rejects that are told on the terminal; the file has all


class Reject(NamedTuple):
    """One row that was not imported."""

    line: int
    reason: str
    row: str


class Rejects:
    """The rejects of one import. `path` None: they are only counted. `first` are the first few."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.count = 0
        self.first: deque[Reject] = deque()
        self._file: TextIO | None = None
        self._csv: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, line: int, row: str, reason: str) -> None:
        """Keep a row with the reason why it was not imported."""
        self.count += 1
        reject = Reject(line, reason, row.rstrip("\r\n"))
        if len(self.first) < SHOWN_MAX:
            self.first.append(reject)
        if self.path is None:
            return
        if self._file is None:
            self._open(self.path)
        assert self._file is not None
        if self._csv is not None:
            self._csv.writerow(reject)
        else:
            # Bytes that are no text cannot stand in JSON: they are shown as replacement characters.
            shown = row.rstrip("\r\n").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            self._file.write(
                pydantic_core.to_json({"line": line, "reason": reason, "row": shown}).decode()
                + "\n"
            )

    def _open(self, path: Path) -> None:
        try:
            self._file = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        except OSError as error:
            raise BadFile(f"The rejects cannot be written to {path}: {error.strerror}.") from error
        if path.suffix.lower() == ".csv":
            self._csv = csv.writer(self._file)
            self._csv.writerow(Reject._fields)
