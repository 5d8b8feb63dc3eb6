"""Fixtures of the read models' tests: a log, whoever may forge it, and each read model's table, still empty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from projections import PROJECTIONS
from projections.build import Build
from tests.fix_log import LIVES, builds, forger, projector, record


@pytest.fixture
def forging(database: str) -> Iterator[Connection[Any]]:
    with forger(database) as connection:
        record(connection, LIVES)
        yield connection


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with projector(database) as connection:
        yield connection


@pytest.fixture(params=range(len(PROJECTIONS)), ids=[one.name for one in PROJECTIONS])
def build(
    request: pytest.FixtureRequest,
    database: str,
    forging: Connection[Any],
    connection: Connection[Any],
) -> Build:
    build: Build = builds(database)[request.param]
    build.create(connection)
    return build
