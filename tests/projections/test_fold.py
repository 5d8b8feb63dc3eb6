"""A fold is one call, and the function that it calls is there whatever became of the transaction that made it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from projections.build import Build
from projections.tracking import Moved
from tests.fix_log import LIVES, stands

LOG = LIVES


def test_a_fold_is_one_statement(
    connection: Connection[Any], build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[object] = []
    execute = psycopg.Cursor.execute

    def counted(cursor: psycopg.Cursor[Any], query: Any, *rest: Any, **named: Any) -> Any:
        # Another test's follower may still be folding beside this one.
        if cursor.connection is connection:
            said.append(query)
        return execute(cursor, query, *rest, **named)

    build.advance(connection, 0, 3)
    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    build.advance(connection, 3, 5, aloud=True)
    build.advance(connection, 5, 7, aloud=True)
    assert len(said) == 2
    stands(connection, build, LOG[:7])


def test_a_function_may_be_gone_with_its_transaction(
    connection: Connection[Any], build: Build
) -> None:
    """Seen red where a function made within a transaction counts as known."""
    with connection.transaction(force_rollback=True):
        build.advance(connection, 0, 5)
    assert build.advance(connection, 0, 3) == 3
    with connection.transaction():
        build.advance(connection, 3, 5)
    stands(connection, build, LOG[:5])
    with connection.transaction():
        # A fold that fails spares the transaction under way.
        with pytest.raises(Moved):
            build.advance(connection, 1, 2)
        build.advance(connection, 5, 6)
    stands(connection, build, LOG[:6])
