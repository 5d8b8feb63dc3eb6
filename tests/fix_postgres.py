"""Databases for tests: one real server a session, one migrated template, one clone of it per test.

Invariants: a test sees no row of another test; nothing is left behind. Under pytest-xdist each worker has a server of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psycopg
import pytest
from psycopg import sql

from ledger import embedded

TEMPLATE = "ledger_template"
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """The server of this session; LEDGER_POSTGRES_BIN names another PostgreSQL than the wheel's."""
    server = embedded.start(tmp_path_factory.mktemp("postgres"))
    try:
        yield server
    finally:
        server.stop("immediate")  # its data is thrown away


@pytest.fixture(scope="session")
def postgres_admin(postgres: embedded.Server) -> Iterator[psycopg.Connection]:
    """The superuser's connection, for making and dropping databases."""
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def template_database(postgres: embedded.Server, postgres_admin: psycopg.Connection) -> str:
    """The name of a database on which every migration has run, with no rows in it."""
    from ledger.migrate import migrate

    postgres_admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    migrate(postgres.dsn(TEMPLATE))
    return TEMPLATE


@contextmanager
def cloned(server: embedded.Server, admin: psycopg.Connection, template: str) -> Iterator[str]:
    """A fresh, migrated, empty database until the block ends."""
    name = f"test_{next(_numbers)}"
    identifiers = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    clone = sql.SQL("CREATE DATABASE {name} TEMPLATE {template} STRATEGY WAL_LOG")
    admin.execute(clone.format(**identifiers))
    try:
        yield server.dsn(name)
    finally:
        admin.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**identifiers))


@pytest.fixture
def database(
    postgres: embedded.Server, postgres_admin: psycopg.Connection, template_database: str
) -> Iterator[str]:
    """The connection string of a fresh, migrated, empty database of this test's own."""
    with cloned(postgres, postgres_admin, template_database) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def module_database(
    postgres: embedded.Server, postgres_admin: psycopg.Connection, template_database: str
) -> Iterator[str]:
    """One database for the tests of a module."""
    with cloned(postgres, postgres_admin, template_database) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def shared_database(
    postgres: embedded.Server, postgres_admin: psycopg.Connection, template_database: str
) -> Iterator[str]:
    """One database for all tests of the session that keep to a project of their own."""
    with cloned(postgres, postgres_admin, template_database) as dsn:
        yield dsn
