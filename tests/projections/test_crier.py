"""The crier's words: each fold tells how far it is, and nonsense tells nothing."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from projections.build import Build
from projections.crier import CHANNEL, news, told


def test_a_fold_tells_with_its_commit(
    connection: Connection[Any], build: Build, database: str
) -> None:
    name = build.projection.name
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}".encode())
        with connection.transaction(force_rollback=True):
            build.advance(connection, 0, 3, aloud=True)
        build.advance(connection, 0, 5, aloud=True)
        build.advance(connection, 5, 5, aloud=True)
        build.advance(connection, 5, 6)
        build.advance(connection, 6, 10**6, aloud=True)
        heard = [told(one.payload) for one in listener.notifies(timeout=30, stop_after=2)]
        assert heard == [(name, 5), (name, build.position(connection))]


def test_what_is_told_is_understood() -> None:
    assert told(news("jobs", 7)[1]) == ("jobs", 7)


@pytest.mark.parametrize("payload", ["", "jobs", "jobs x", "jobs -1", f"jobs {10**30}"])
def test_nonsense_tells_nothing(payload: str) -> None:
    assert told(payload)[1] == 0
