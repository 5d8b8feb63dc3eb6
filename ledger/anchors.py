"""Anchors: each new checkpoint handed to places outside, where whoever can change the database cannot take it back.

Invariants: a sink gets every checkpoint in order and at least once, again until it takes it; one that fails holds up neither the others nor the
signing; what it took last is on show. Units: seconds. Errors: none escape; psycopg's own end the round, and it begins again."""

from __future__ import annotations

import http.client
import logging
import os
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg import Connection

from ledger import settings, sql
from ledger.connection import Role, conninfo
from ledger.errors import Misconfigured

SQL: Final = sql.load(__file__)
log = logging.getLogger("ledger.anchors")
_LOCK = 0x6A6F6261  # any constant that no other program is likely to lock


@dataclass(frozen=True, slots=True)
class Sink:
    """A place outside. `name` says which, without what opens it; `take` raises when it did not take the note."""

    name: str
    take: Callable[[str], None]


def sinks(file: Path | None, command: str | None, url: str | None) -> tuple[Sink, ...]:
    """The sinks that an operator has named. Raises Misconfigured for a URL that is none."""
    found = []
    if file is not None:
        found.append(Sink(f"file {file}", lambda note: _write(file, note)))
    if command is not None:
        found.append(Sink("command", lambda note: _run(command, note)))
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Misconfigured("LEDGER_ANCHOR_URL must begin with https:// or http://.")
        found.append(Sink(f"webhook {parts.hostname}", lambda note: _post(url, note)))
    return tuple(found)


def shown(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """What each sink took last: name, epoch, size, when, and why it did not take the next."""
    return connection.execute(SQL["shown"]).fetchall()


class Anchoring(threading.Thread):
    """Hands checkpoints out until it is ended."""

    def __init__(self, dsn: str, to: Sequence[Sink], interval_s: float) -> None:
        super().__init__(name="anchors", daemon=True)
        self._conninfo = conninfo(dsn, Role.PROVER)
        self._sinks = to
        self._interval_s = interval_s
        self._ending = threading.Event()

    def end(self) -> None:
        """Stop after the checkpoint under way."""
        self._ending.set()

    def run(self) -> None:
        """Hand out what is new, again and again."""
        while not self._ending.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as connection:
                    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
                    while row == (True,) and not self._ending.is_set():
                        for sink in self._sinks:
                            self.hand_out(connection, sink)
                        self._ending.wait(self._interval_s)
            except psycopg.Error as error:
                log.warning("anchoring begins again: %s", error)
            self._ending.wait(settings.RESTART_S_MAX if self._interval_s > 1 else self._interval_s)

    def hand_out(self, connection: Connection[Any], sink: Sink) -> None:
        """Give a sink what it has not taken yet, up to the first that it does not take."""
        words = {"sink": sink.name, "limit": settings.ANCHORS_AT_ONCE_MAX}
        for epoch, size, note in connection.execute(SQL["due"], words).fetchall():
            if self._ending.is_set():
                return
            try:
                sink.take(note)
            except (
                OSError,
                ValueError,
                subprocess.SubprocessError,
                http.client.HTTPException,
            ) as error:
                # The words of an error may repeat a URL with its secret.
                reason = type(error).__name__ if sink.name.startswith("webhook") else str(error)
                connection.execute(SQL["failed"], (sink.name, reason[:500]))
                log.warning("%s did not take the checkpoint of %s: %s", sink.name, size, reason)
                return
            connection.execute(SQL["taken"], (sink.name, epoch, size))


def _write(file: Path, note: str) -> None:
    """Add a note to a file, on disk before it counts as taken. An empty line is between two."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    with os.fdopen(descriptor, "a", encoding="utf-8") as opened:
        opened.write(note + "\n")
        opened.flush()
        os.fsync(opened.fileno())


def _run(command: str, note: str) -> None:
    """Run the operator's own program, by the shell that such lines are written for, with the note on stdin."""
    subprocess.run(
        ["/bin/sh", "-c", command],
        input=note,
        text=True,
        capture_output=True,
        timeout=settings.ANCHOR_TIMEOUT_S,
        check=True,
    )


def _post(url: str, note: str) -> None:
    """POST the note as text; any 2xx takes it."""
    request = urllib.request.Request(  # noqa: S310 - `sinks` lets http and https pass alone
        url, note.encode(), {"Content-Type": "text/plain; charset=utf-8"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=settings.ANCHOR_TIMEOUT_S) as answer:  # noqa: S310
        answer.read(1024)
