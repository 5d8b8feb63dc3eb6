"""Rebuild: a projection made anew from the log beside the live one, compared with it, and put in its place.

Invariants: readers see the old table until the new one is whole; both are compared at one position, in one snapshot, row for row; a difference
is told and the new table, which the log explains, is taken. Units: positions and rows. Errors: Poison, UnknownProjection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

from ledger import settings
from ledger.connection import Role, conninfo
from ledger.errors import LedgerError
from projections import PROJECTIONS
from projections.build import Build, head, live
from projections.projection import SCHEMA, Projection
from projections.tracking import Positions

_STATEMENT_TIMEOUT_S = 24 * 3_600.0  # a rebuild of a large ledger takes as long as it takes
_SHOWN_MAX = 20  # keys of differing rows that are told; the count tells of the rest

Progress = Callable[[int, int], None]


class UnknownProjection(LedgerError):
    """There is no such projection, or it was never built."""

    code = "unknown_projection"
    hint = "`jobledger status` lists them; one is built for the first time by `jobledger serve`."


@dataclass(frozen=True, slots=True)
class Compared:
    """Two tables of one projection at one position: how many rows, how many of them differ, and the keys of the first few that do."""

    position: int
    rows: int
    different: int
    keys: tuple[tuple[str, ...], ...]

    def shown(self) -> dict[str, Any]:
        """As JSON shows it."""
        return asdict(self)


def rebuild(dsn: str, name: str, progress: Progress = lambda done, total: None) -> dict[str, Any]:
    """Build a projection anew, compare it with the live one and swap it in. `progress(done, total)` counts events."""
    projection = projection_of(name)
    with _connection(dsn) as connection:
        build, _ = _beside(connection, projection, Positions(dsn))
        try:
            _fill(connection, build, progress)
            compared = _compared(connection, build)
            _swap(connection, build)
        except BaseException:
            build.drop(connection)
            raise
    return compared.shown()


def compare(dsn: str, name: str, progress: Progress = lambda done, total: None) -> Compared:
    """Fold the log into a scratch table, compare it with the live one, and forget it."""
    projection = projection_of(name)
    with _connection(dsn) as connection:
        build, _ = _beside(connection, projection, Positions(dsn))
        try:
            _fill(connection, build, progress)
            return _compared(connection, build)
        finally:
            build.drop(connection)


def projection_of(name: str) -> Projection:
    """The projection of this name. Raises UnknownProjection."""
    for projection in PROJECTIONS:
        if projection.name == name:
            return projection
    known = ", ".join(projection.name for projection in PROJECTIONS)
    raise UnknownProjection(f"There is no projection {name!r}; there is {known}.")


def _connection(dsn: str) -> Connection[tuple[Any, ...]]:
    connection = psycopg.connect(
        conninfo(dsn, Role.PROJECTOR, statement_timeout_s=_STATEMENT_TIMEOUT_S), autocommit=True
    )
    connection.execute("SET synchronous_commit = off")
    connection.execute("SET jit = off")
    # A plan made while the new table was empty would be kept for all of it.
    connection.execute("SET plan_cache_mode = force_custom_plan")
    return connection


def _beside(
    connection: Connection[Any], projection: Projection, positions: Positions
) -> tuple[Build, str]:
    """An empty table of its own beside the live one."""
    shown = live(connection, projection)
    if shown is None:
        raise UnknownProjection(f"{projection.name} was never built.")
    taken = connection.execute(
        "SELECT application_name FROM projections.notification_tracking"
    ).fetchall()
    names = (f"{projection.table}_{nth}" for nth in count(2))
    name = next(name for name in names if (name,) not in taken)
    build = Build(projection, name, positions)
    build.create(connection)
    return build, shown[1]


def _fill(connection: Connection[Any], build: Build, progress: Progress) -> None:
    """Fold up to the head of the log as it was when this began."""
    reached, target = 0, head(connection)
    progress(reached, target)
    while reached < target:
        reached = build.advance(
            connection, reached, min(target, reached + settings.REBUILD_EVENTS_MAX)
        )
        progress(reached, target)


def _compared(connection: Connection[Any], build: Build) -> Compared:
    """Compare with the live table in one snapshot, at the position that the live one has in it."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        shown = live(connection, build.projection)
        assert shown is not None
        standing = Build(build.projection, shown[1], build.positions)
        position = _level(connection, build, standing)
        rows = connection.execute(_count(build.table)).fetchone()
        found = connection.execute(_differences(build.projection, standing.table, build.table))
        keys = [tuple(str(part) for part in key) for key in found.fetchall()]
    assert rows is not None
    return Compared(position, rows[0], len(keys), tuple(keys[:_SHOWN_MAX]))


def _level(connection: Connection[Any], build: Build, standing: Build) -> int:
    """Bring the new table to where the live one stands, in the transaction under way."""
    position = standing.position(connection) or 0
    reached = build.position(connection) or 0
    if reached > position:
        raise LedgerError(
            f"{standing.table} stands at {position}, behind the new table; wait until it has caught up."
        )
    if reached < position:
        build.advance(connection, reached, position)
    return position


def _swap(connection: Connection[Any], build: Build) -> None:
    with connection.transaction():
        shown = live(connection, build.projection)
        assert shown is not None
        standing = Build(build.projection, shown[1], build.positions)
        # Holds the worker back for the moment that this takes.
        connection.execute(
            "SELECT FROM projections.notification_tracking WHERE application_name = %s FOR UPDATE",
            (standing.table,),
        )
        _level(connection, build, standing)
        build.show(connection)
        standing.drop(connection)


def _count(table: str) -> Composed:
    return SQL("SELECT count(*) FROM {}").format(Identifier(SCHEMA, table))


def _differences(projection: Projection, one: str, other: str) -> Composed:
    """The keys of rows that are not the same text in both."""
    key = SQL(", ").join(Identifier(column) for column in projection.key)
    text = SQL(
        "(SELECT {key}, t::text AS whole FROM {one} t EXCEPT SELECT {key}, t::text FROM {other} t)"
    )
    return SQL("SELECT DISTINCT {key} FROM ({there} UNION ALL {back}) d ORDER BY {key}").format(
        key=key,
        there=text.format(key=key, one=Identifier(SCHEMA, one), other=Identifier(SCHEMA, other)),
        back=text.format(key=key, one=Identifier(SCHEMA, other), other=Identifier(SCHEMA, one)),
    )
