"""A crier: tells other processes how far the read models are.

Invariants: what it tells is a hint and may be lost, since whoever waits looks as well; it is told after the fold's commit, so that it is true.
Its payload is the read model's name and its position. Errors: none; a lost connection is made anew with the next word."""

from __future__ import annotations

import threading
from typing import Any, Final

import psycopg

from ledger.connection import Role, conninfo

CHANNEL: Final = "jobledger_reached"


class Crier:
    """One connection for all projections of a process. May be called from any thread."""

    def __init__(self, dsn: str) -> None:
        self._conninfo = conninfo(dsn, Role.PROJECTOR)
        self._connection: psycopg.Connection[Any] | None = None
        self._telling = threading.Lock()

    def tell(self, name: str, position: int) -> None:
        """A read model has reached a position."""
        with self._telling:
            try:
                self._connected().execute(
                    "SELECT pg_notify(%s, %s)", (CHANNEL, f"{name} {position}"), prepare=True
                )
            except psycopg.Error:
                self.close()

    def close(self) -> None:
        """Leave the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
            # Nothing is lost with a hint: it need not wait for the disk.
            self._connection.execute("SET synchronous_commit = off")
        return self._connection


def told(payload: str) -> tuple[str, int]:
    """What a notice says; position 0 when it makes no sense."""
    name, _, position = payload.partition(" ")
    return name, int(position) if position.isdecimal() and len(position) < len(str(2**63)) else 0
