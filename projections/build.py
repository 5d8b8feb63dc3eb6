"""A build: one table of a projection, and how it is folded, found wanting, and shown to readers.

Invariants: rows and position move together or not at all; an event that cannot be folded is never passed over: everything before it is folded, and
`Poison` names it. Units: positions count events. Errors: Poison; psycopg's own for anything that may pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from ledger.errors import LedgerError
from projections.projection import SCHEMA, Projection
from projections.tracking import Positions

# What a fold says of an event that it cannot read; anything else may pass.
_UNREADABLE = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException)


class Poison(LedgerError):
    """A read model met an event that it cannot fold."""

    code = "poison"
    hint = "Upgrade the ledger, or look at the event in ledger.stored_events; the read model resumes there by itself."

    def __init__(self, table: str, position: int, reason: str) -> None:
        super().__init__(f"{table} cannot fold the event at position {position}: {reason}")
        self.position = position
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Build:
    """A projection's table, which need not be there yet."""

    projection: Projection
    table: str
    positions: Positions

    def create(self, connection: Connection[Any]) -> None:
        """Make the table anew, empty, at position 0."""
        with connection.transaction():
            self.drop(connection)
            connection.execute(self.projection.statement("create", self.table))
            if "index" in self.projection.queries:
                connection.execute(self.projection.statement("index", self.table))
            self.positions.move(connection, self.table, 0)

    def drop(self, connection: Connection[Any]) -> None:
        """Forget the table and its position."""
        connection.execute(
            SQL("DROP TABLE IF EXISTS {} CASCADE").format(Identifier(SCHEMA, self.table))
        )
        connection.execute(
            "DELETE FROM projections.notification_tracking WHERE application_name = %s",
            (self.table,),
        )
        connection.execute("DELETE FROM projections.stopped WHERE name = %s", (self.table,))

    def position(self, connection: Connection[Any]) -> int | None:
        """How far it is; None when it was never made."""
        row = connection.execute(
            "SELECT notification_id FROM projections.notification_tracking WHERE application_name = %s",
            (self.table,),
        ).fetchone()
        return None if row is None else int(row[0])

    def advance(self, connection: Connection[Any], start: int, to: int) -> int:
        """Fold the events behind `start` up to `to` and return `to`. Raises Poison with everything before it folded."""
        try:
            self._fold(connection, start, to)
        except _UNREADABLE as error:
            if to - start == 1:
                raise Poison(self.table, to, str(error).splitlines()[0]) from error
            middle = (start + to) // 2
            self.advance(connection, start, middle)
            self.advance(connection, middle, to)
        return to

    def _fold(self, connection: Connection[Any], start: int, to: int) -> None:
        with connection.transaction():
            cursor = connection.execute(
                self.projection.statement("fold", self.table),
                {"from": start, "to": to},
                prepare=True,
            )
            row = cursor.fetchone()
            assert row is not None
            if row[0] != to - start:
                raise psycopg.DataError(
                    f"the fold took {row[0]} of {to - start} events: one has a topic or a shape that it does not know"
                )
            self.positions.move(connection, self.table, to)

    def show(self, connection: Connection[Any]) -> None:
        """Point the view that readers ask at this table, in the transaction under way."""
        view = Identifier(SCHEMA, self.projection.name)
        connection.execute(SQL("DROP VIEW IF EXISTS {}").format(view))
        connection.execute(
            SQL("CREATE VIEW {} AS TABLE {}").format(view, Identifier(SCHEMA, self.table))
        )
        connection.execute(
            "INSERT INTO projections.live (name, version, application_name) VALUES (%s, %s, %s)"
            " ON CONFLICT (name) DO UPDATE SET version = excluded.version, application_name = excluded.application_name",
            (self.projection.name, self.projection.version, self.table),
        )


def live(connection: Connection[Any], projection: Projection) -> tuple[int, str] | None:
    """The version and the table that readers see; None before the first build."""
    row = connection.execute(
        "SELECT version, application_name FROM projections.live WHERE name = %s", (projection.name,)
    ).fetchone()
    return None if row is None else (int(row[0]), str(row[1]))


def head(connection: Connection[Any]) -> int:
    """The position of the last event of the log."""
    row = connection.execute("SELECT position FROM ledger.head").fetchone()
    assert row is not None
    return int(row[0])
