"""Rebuild: a projection made anew from the log beside the live one, compared with it, and put in its place.

Invariants: readers see the old table until the new one is whole; both are compared at one position, in one snapshot, row for row; a difference
is told and the new table, which the log explains, is taken. Units: positions and rows. Errors: Poison, UnknownProjection."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

from ledger import settings
from ledger.connection import Role, conninfo
from ledger.errors import Busy, Invalid, LedgerError
from projections import PROJECTIONS, spans
from projections.build import Build, live, plan_builds
from projections.projection import SCHEMA, Projection
from projections.tracking import Positions

_SHOWN_MAX = 20  # keys of differing rows that a rebuild tells; the count tells of the rest

Progress = Callable[[int, int], None]


class UnknownProjection(LedgerError):
    """There is no such projection, or it was never built."""

    code = "unknown_projection"
    hint = "`jobledger status` lists them; one is built for the first time by `jobledger serve`."


@dataclass(frozen=True, slots=True)
class Compared:
    """Two tables of one projection at one position: how many rows, how many of them differ, and the keys of those that do."""

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
    with _connection(dsn) as connection, _beside(connection, projection, Positions(dsn)) as build:
        _fill(connection, build, progress)
        build.index(connection)
        compared = _compared(connection, build)
        _swap(connection, build)
    return replace(compared, keys=compared.keys[:_SHOWN_MAX]).shown()


def compare(
    dsn: str,
    name: str,
    progress: Progress = lambda done, total: None,
    *,
    to: int | None = None,
    project: str | None = None,
) -> Compared:
    """Fold the log into a scratch table, compare it with the live one, tell every key that differs, and forget the table.

    `to`: fold no further, and compare with what the live one says of that position. `project`: tell only of its rows."""
    projection = projection_of(name)
    with _connection(dsn) as connection, _beside(connection, projection, Positions(dsn)) as build:
        standing = _shown(connection, projection, build.positions).position(connection) or 0
        if to is None or to == standing:
            _fill(connection, build, progress)
            return _compared(connection, build, project)
        if to > standing:
            raise Invalid(f"{name} stands at position {standing}, before {to}.", field="to")
        _fill(connection, build, progress, to)
        return _compared_before(connection, build, to, project)


def projection_of(name: str) -> Projection:
    """The projection of this name. Raises UnknownProjection."""
    for projection in PROJECTIONS:
        if projection.name == name:
            return projection
    known = ", ".join(projection.name for projection in PROJECTIONS)
    raise UnknownProjection(f"There is no projection {name!r}; there is {known}.")


def _connection(dsn: str) -> Connection[tuple[Any, ...]]:
    connection = psycopg.connect(
        conninfo(dsn, Role.PROJECTOR, statement_timeout_s=settings.REBUILD_TIMEOUT_S),
        autocommit=True,
    )
    plan_builds(connection)
    return connection


@contextmanager
def _beside(
    connection: Connection[Any], projection: Projection, positions: Positions
) -> Iterator[Build]:
    """An empty table of its own beside the live one, and nothing left of it afterwards unless it became the live one.

    The lock is held by the session, so that what a killed rebuild left behind is known to be nobody's."""
    _shown(
        connection, projection, positions
    )  # what cannot be rebuilt is told before the lock is taken
    key = zlib.crc32(f"jobledger rebuild {projection.name}".encode())
    if connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone() != (True,):
        raise Busy(f"{projection.name} is being rebuilt or compared already.", retry_after_s=60)
    shown = _shown(connection, projection, positions)
    tracked = connection.execute(
        "SELECT application_name FROM projections.notification_tracking WHERE application_name ~ %s",
        (f"^{projection.name}_v[0-9]+_[0-9]+$",),
    )
    for (table,) in tracked.fetchall():
        if table != shown.table:
            Build(projection, table, positions).drop(connection)
    # Never a name that was live before: a worker may still hold on to it.
    found = re.fullmatch(f"{projection.table}_([0-9]+)", shown.table)
    nth = int(found[1]) + 1 if found else 2
    build = Build(projection, f"{projection.table}_{nth}", positions)
    try:
        build.create(connection, bare=True)
        yield build
    finally:
        if not connection.closed:
            if _shown(connection, projection, positions) != build:
                build.drop(connection)
            # At once: the server takes a moment to see that a session has ended.
            connection.execute("SELECT pg_advisory_unlock(%s)", (key,))


def _shown(connection: Connection[Any], projection: Projection, positions: Positions) -> Build:
    """The table that readers see. Raises UnknownProjection when there is none of this version."""
    shown = live(connection, projection)
    if shown is None or shown[0] != projection.version:
        raise UnknownProjection(
            f"{projection.name} was never built in version {projection.version}."
        )
    return Build(projection, shown[1], positions)


def _fill(
    connection: Connection[Any], build: Build, progress: Progress, to: int | None = None
) -> None:
    """Fold up to a position, or to where the live table stands as this begins."""
    standing = _shown(connection, build.projection, build.positions)
    reached, target = 0, (standing.position(connection) or 0) if to is None else to
    progress(reached, target)
    while reached < target:
        began_s = time.monotonic()
        reached = build.advance(
            connection, reached, min(target, reached + settings.PROJECT_EVENTS_MAX)
        )
        progress(reached, target)
        if reached < target:
            time.sleep((time.monotonic() - began_s) * settings.REBUILD_REST)


def _compared(connection: Connection[Any], build: Build, project: str | None = None) -> Compared:
    """Compare with the live table in one snapshot, at the position that the live one has in it."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        standing = _shown(connection, build.projection, build.positions)
        position = build.level(connection, standing)
        found = _differences(build.projection, standing.table, build.table)
        return _told(connection, build, position, found, project)


def _compared_before(
    connection: Connection[Any], build: Build, to: int, project: str | None
) -> Compared:
    """Compare with what the live table, which has gone further, says of an earlier position."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        standing = _shown(connection, build.projection, build.positions)
        found = SQL(build.projection.queries["cut"]).format(
            live=Identifier(SCHEMA, standing.table), scratch=Identifier(SCHEMA, build.table)
        )
        return _told(connection, build, to, found, project)


def _told(
    connection: Connection[Any], build: Build, position: int, found: Composed, project: str | None
) -> Compared:
    """What was found: a query of the project and the key of each row that differs."""
    asked = {"to": position, "project": project, "spans_s": list(spans.SPANS_S)}
    rows = connection.execute(_count(build.table), asked).fetchone()
    assert rows is not None
    keys = connection.execute(_of_project(found), asked).fetchall()
    return Compared(
        position, rows[0], len(keys), tuple(tuple(str(part) for part in key) for _, *key in keys)
    )


def _swap(connection: Connection[Any], build: Build) -> None:
    """Put the new table in the place of the live one, between two readers."""
    deadline = time.monotonic() + settings.SWAP_S_MAX
    standing = _shown(connection, build.projection, build.positions)
    while not build.replace(connection, standing, level=True):
        if time.monotonic() > deadline:
            raise Busy(f"Readers of {standing.table} left no moment to swap it.", retry_after_s=60)
        time.sleep(settings.SWAP_LOCK_S)


def _count(table: str) -> Composed:
    return SQL(
        "SELECT count(*) FROM {} WHERE %(project)s::text IS NULL OR project = %(project)s"
    ).format(Identifier(SCHEMA, table))


def _of_project(found: Composed) -> Composed:
    return SQL(
        "SELECT * FROM ({}) f WHERE %(project)s::text IS NULL OR f.of_project = %(project)s ORDER BY f"
    ).format(found)


def _differences(projection: Projection, one: str, other: str) -> Composed:
    """The project and the key of each row that is not the same text in both."""
    key = SQL(", ").join(Identifier(column) for column in projection.key)
    text = SQL(
        "(SELECT project AS of_project, {key}, t::text AS whole FROM {one} t"
        " EXCEPT SELECT project, {key}, t::text FROM {other} t)"
    )
    # A row whose project was changed by hand is one row, of both projects.
    return SQL(
        "SELECT min(of_project) AS of_project, {key} FROM ({there} UNION ALL {back}) d GROUP BY {key}"
    ).format(
        key=key,
        there=text.format(key=key, one=Identifier(SCHEMA, one), other=Identifier(SCHEMA, other)),
        back=text.format(key=key, one=Identifier(SCHEMA, other), other=Identifier(SCHEMA, one)),
    )
