"""Rejects: the rows that were not imported, where they stand, and why.

Invariants: a reject has the number of its first line, a sentence, and the row's own text, and its file where there are several; the file of
rejects is made with the first one, as CSV or NDJSON by the end of its name. Units: lines from 1. Errors: BadFile when it cannot be written."""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TextIO

import pydantic_core

from api.transfer.lines import BadFile

SHOWN_MAX = 5  # rejects that are told on the terminal; the file has all


class Reject(NamedTuple):
    """One row that was not imported. `file` is None where there is but one."""

    line: int
    reason: str
    row: str
    file: str | None = None

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"line {self.line}" if self.file is None else f"{self.file}, line {self.line}"


class Rejects:
    """The rejects of one import. `path` None: they are only counted. `first` are the first few."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.count = 0
        self.first: deque[Reject] = deque()
        self._file: TextIO | None = None
        self._csv: Any = None
        self._begun: list[tuple[int, str]] = []

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

    def begin(self, file: str, before: int) -> None:
        """The lines behind so many are this file's, and count from 1 again."""
        if before == 0:
            self._begun.clear()  # the files are read once more
        self._begun.append((before, file))

    def _reject(self, line: int, row: str, reason: str) -> Reject:
        nth = bisect_left(self._begun, line, key=lambda begun: begun[0]) - 1
        before, file = self._begun[nth] if nth >= 0 else (0, None)
        return Reject(line - before, reason, row.rstrip("\r\n"), file)

    def add(self, line: int, row: str, reason: str) -> None:
        """Keep a row with the reason why it was not imported."""
        self.count += 1
        reject = self._reject(line, row, reason)
        if len(self.first) < SHOWN_MAX:
            self.first.append(reject)
        if self.path is None:
            return
        if self._file is None:
            self._open(self.path)
        assert self._file is not None
        if self._csv is not None:
            self._csv.writerow(reject if self._begun else reject[:-1])
        else:
            # Bytes that are no text cannot stand in JSON: they are shown as replacement characters.
            shown = reject.row.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            told = {**reject._asdict(), "row": shown}
            if not self._begun:
                del told["file"]
            self._file.write(pydantic_core.to_json(told).decode() + "\n")

    def _open(self, path: Path) -> None:
        try:
            self._file = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        except OSError as error:
            raise BadFile(f"The rejects cannot be written to {path}: {error.strerror}.") from error
        if path.suffix.lower() == ".csv":
            self._csv = csv.writer(self._file)
            self._csv.writerow(Reject._fields if self._begun else Reject._fields[:-1])
