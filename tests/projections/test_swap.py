"""The swap: a new table in the place of the live one, between two readers, at the same position."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from psycopg import Connection

from ledger import settings
from projections.build import Build, live
from tests.fix_log import (
    LIVES,
    projector,
    rows,
    stands,
)

LOG = LIVES


@pytest.fixture
def pair(connection: Connection[Any], build: Build) -> tuple[Build, Build]:
    """The live table, up to the end of the log, and another of the same version that is behind it."""
    other = replace(build, table=f"{build.table}_2")
    other.create(connection)
    build.advance(connection, 0, len(LOG))
    other.advance(connection, 0, 4)
    assert build.replace(connection, None, level=False)
    return build, other


def test_a_swap_levels_the_new_table_and_forgets_the_old(
    connection: Connection[Any], pair: tuple[Build, Build]
) -> None:
    old, new = pair
    assert new.replace(connection, old, level=True)
    assert live(connection, new.projection) == (new.projection.version, new.table)
    stands(connection, new, LOG)
    assert old.position(connection) is None
    assert rows(connection, new.projection, new.projection.name) == rows(
        connection, new.projection, new.table
    )


def test_a_swap_does_not_keep_readers_waiting(
    connection: Connection[Any],
    database: str,
    pair: tuple[Build, Build],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "SWAP_LOCK_S", 0.01)
    old, new = pair
    with projector(database) as reader:
        with reader.transaction():
            reader.execute(f"SELECT FROM projections.{old.projection.name}".encode())
            assert not new.replace(connection, old, level=True)
            # Nothing has changed.
            assert live(connection, new.projection) == (old.projection.version, old.table)
            stands(connection, new, LOG[:4])
        assert new.replace(connection, old, level=True)
    stands(connection, new, LOG)


def test_a_table_is_indexed_once(connection: Connection[Any], build: Build, database: str) -> None:
    bare = replace(build, table=f"{build.table}_2")
    bare.create(connection, bare=True)
    counted = (
        "SELECT count(*) FROM pg_index WHERE indrelid = to_regclass('projections.' || %s::text)"
    )
    with_it = 1 + bare.projection.queries["create"].count("CREATE INDEX")
    assert connection.execute(counted, (bare.table,)).fetchone() == (with_it,)
    for _ in range(2):
        bare.index(connection)
        assert (
            connection.execute(counted, (bare.table,)).fetchone()
            == connection.execute(counted, (build.table,)).fetchone()
        )
