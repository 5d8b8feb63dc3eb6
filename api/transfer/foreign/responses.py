"""Responses: the files of one import, one after another.

Invariants: a file is opened when its turn comes and closed behind it; lines are numbered on through all files, and the rejects know which are whose.
Units: bytes read, of all files. Errors: BadFile when a file cannot be opened or read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from api.transfer.foreign import Read
from api.transfer.lines import BadFile, Row
from api.transfer.rejects import Rejects


class Responses:
    """Files to be read; None is stdin."""

    def __init__(self, files: Sequence[Path | None], rejects: Rejects) -> None:
        self._files = files
        self._rejects = rejects
        self.bytes_read = 0

    def rows(self, read: Read) -> Iterator[Row]:
        """The rows of all files."""
        before = 0
        for file in self._files:
            self._rejects.begin("-" if file is None else str(file), before)
            last = 1
            with opened(file) as stream:
                for row in read(_Counted(stream, self)):  # type: ignore[arg-type]
                    last = row.line
                    yield row._replace(line=before + last)
            before += last


class _Counted:
    """A stream whose bytes are counted as they are read."""

    def __init__(self, stream: BinaryIO, counts: Responses) -> None:
        self._stream = stream
        self._counts = counts

    def read(self, size: int) -> bytes:
        """Read at most so much."""
        return self._count(self._stream.read(size))

    def readline(self, size: int) -> bytes:
        """Read a line, or so much of it."""
        return self._count(self._stream.readline(size))

    def _count(self, found: bytes) -> bytes:
        self._counts.bytes_read += len(found)
        return found


@contextmanager
def opened(file: Path | None) -> Iterator[BinaryIO]:
    """A file to be read, or stdin."""
    if file is None:
        yield sys.stdin.buffer
        return
    try:
        stream = file.open("rb")
    except OSError as error:
        raise BadFile(f"{file} cannot be read: {error.strerror}.") from error
    with stream:
        yield stream
