"""A build: one table of a projection, and how it is folded, found wanting, and shown to readers.

Invariants: rows and position move together or not at all; an event that cannot be folded is never passed over: everything before it is folded, and
`Poison` names it. Units: positions count events. Errors: Poison; Moved when somebody else folds;
psycopg's own for anything that may pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import Connection, sql

from ledger import settings
from ledger import sql as queries
from ledger.errors import LedgerError
from projections.fold import fold
from projections.projection import SCHEMA, Projection
from projections.tracking import Moved, Positions

SQL: Final = queries.load(__file__)

# What a fold says of an event that it cannot read or keep; anything else may pass.
_UNREADABLE = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.RaiseException,
)


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

    def create(self, connection: Connection[Any], *, bare: bool = False) -> None:
        """Make the table anew, empty, at position 0. `bare`: `index` is called later, which is quicker than to keep indexes while building."""
        with connection.transaction():
            self.drop(connection)
            connection.execute(self.projection.statement("create", self.table))
            connection.execute(SQL["wall"], {"table": f"{SCHEMA}.{self.table}"})
            if not bare:
                self.index(connection)
            self.positions.move(connection, self.table, 0)

    def index(self, connection: Connection[Any]) -> None:
        """Make what readers need beyond the primary key, unless it is there."""
        if "index" not in self.projection.queries:
            return
        # One that folds need comes with the table.
        made = self.projection.queries["index"].count(" INDEX ON ")
        row = connection.execute(SQL["indexed"], (made, f"{SCHEMA}.{self.table}")).fetchone()
        if row != (False,):
            return
        with connection.transaction():
            connection.execute(SQL["quick"], (str(settings.BUILD_STATISTICS),))
            connection.execute(self.projection.statement("index", self.table))
            columns = connection.execute(SQL["asked"], (f"{SCHEMA}.{self.table}",)).fetchall()
            names = sql.SQL(", ").join(sql.Identifier(column) for (column,) in columns)
            connection.execute(self.spoken("analyze", columns=names))

    def drop(self, connection: Connection[Any]) -> None:
        """Forget the table and its position."""
        connection.execute(self.spoken("drop"))
        connection.execute(SQL["untrack"], (self.table,))
        self.resumed(connection)

    def stopped(self, connection: Connection[Any], error: Poison) -> None:
        """Show where it stands still, and why."""
        connection.execute(SQL["stopped"], (self.table, error.position, error.reason))

    def resumed(self, connection: Connection[Any]) -> None:
        """Show that it stands still no more."""
        connection.execute(SQL["resumed"], (self.table,))

    def position(self, connection: Connection[Any]) -> int | None:
        """How far it is; None when it was never made, or is gone."""
        names = {"table": self.table, "qualified": f"{SCHEMA}.{self.table}"}
        row = connection.execute(SQL["position"], names).fetchone()
        return None if row is None else int(row[0])

    def advance(
        self, connection: Connection[Any], start: int, to: int, *, aloud: bool = False
    ) -> int:
        """Fold the events behind `start` up to `to`, or the end of the log; return how far it is. Raises Poison with everything before it folded."""
        try:
            return fold(connection, self.projection, self.table, start, to, aloud=aloud)
        except _UNREADABLE as error:
            if self.position(connection) != start:
                raise Moved(f"{self.table} does not stand at {start}.") from error
            to = min(to, head(connection))
            if to - start == 1:
                raise Poison(self.table, to, str(error).splitlines()[0]) from error
            middle = (start + to) // 2
            self.advance(connection, start, middle, aloud=aloud)
            return self.advance(connection, middle, to, aloud=aloud)

    def replace(self, connection: Connection[Any], old: Build | None, *, level: bool) -> bool:
        """Show readers this table and forget the `old` one. `level`: fold up to just where that one stands, before.

        False when others were in the way: nothing has changed then, and it can be tried again."""
        try:
            with connection.transaction():
                connection.execute(SQL["patience"], (f"{settings.SWAP_LOCK_S * 1000:.0f}",))
                if old is not None:
                    # First of all: whoever folds holds the table, and then asks for its position.
                    connection.execute(old.spoken("hold"))
                    if level:
                        self.level(connection, old)
                self.show(connection)
                if old is not None:
                    old.drop(connection)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            return False
        return True

    def level(self, connection: Connection[Any], other: Build) -> int:
        """Fold up to where another table stands, in the transaction under way, and return its position."""
        position = other.position(connection) or 0
        reached = self.position(connection) or 0
        if reached > position:
            raise LedgerError(
                f"{self.table} has come to {reached}, past {other.table} at {position}."
            )
        if reached < position:
            self.advance(connection, reached, position)
        return position

    def show(self, connection: Connection[Any]) -> None:
        """Point the view that readers ask at this table, in the transaction under way."""
        connection.execute(self.spoken("hide"))
        connection.execute(self.spoken("show"))
        connection.execute(SQL["live"], (self.projection.name, self.projection.version, self.table))

    def spoken(self, query: str, **beside: sql.Composable) -> sql.Composed:
        """One of the queries beside this module, spoken of this table and its view."""
        return sql.SQL(SQL[query]).format(
            table=sql.Identifier(SCHEMA, self.table),
            view=sql.Identifier(SCHEMA, self.projection.name),
            **beside,
        )


def live(connection: Connection[Any], projection: Projection) -> tuple[int, str] | None:
    """The version and the table that readers see; None before the first build."""
    row = connection.execute(SQL["shown"], (projection.name,)).fetchone()
    return None if row is None else (int(row[0]), str(row[1]))


def head(connection: Connection[Any]) -> int:
    """The position of the last event of the log."""
    row = connection.execute(SQL["head"]).fetchone()
    assert row is not None
    return int(row[0])


def plan_builds(connection: Connection[Any]) -> None:
    """Fold large ranges in this session from now on, each planned anew: they are of many sizes, and the table grows."""
    # Rows and position are lost together in a crash, and folded again.
    connection.execute("SET synchronous_commit = off")
    connection.execute("SET jit = off")
    # One core a table, not more: those who read and write meanwhile come first, and other tables are built at the same time.
    connection.execute("SET max_parallel_maintenance_workers = 0")
    connection.execute("SET max_parallel_workers_per_gather = 0")
    connection.execute(f"SET work_mem = '{settings.REBUILD_MEMORY_MIB}MB'")
    connection.execute("SET plan_cache_mode = force_custom_plan")
