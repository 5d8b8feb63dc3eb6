"""Databases for tests: one real server a session, one migrated template, one clone of it per test.

Invariants: a test sees no row of another test; nothing is left behind. Under pytest-xdist each worker has a server of its own. It lies in memory
where there is room, since a clone (9 MB in 300 files) takes 30 ms there and 200 to 500 on a disk; what kill -9 leaves is tested on other servers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ledger import embedded

TEMPLATE = "ledger_template"
MEMORY = Path("/dev/shm")
ROOM_BYTES = 2 << 30  # two servers took 0.6 GiB at most in a whole run
_NAME = "jobledger-tests-"
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """The server of this session; LEDGER_POSTGRES_BIN names another PostgreSQL than the wheel's."""
    with folder(tmp_path_factory) as data:
        server = embedded.start(data)
        try:
            yield server
        finally:
            server.stop("immediate")  # its data is thrown away


@contextmanager
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the session's server: in memory if there is room, else where pytest keeps its own."""
    sweep()
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM_BYTES:
        yield tmp_path_factory.mktemp("postgres")
        return
    made = MEMORY / f"{_NAME}{os.getpid()}"
    made.mkdir(mode=0o700)
    try:
        yield made
    finally:
        shutil.rmtree(made)


def sweep() -> None:
    """Free the memory that killed sessions of this user still hold."""
    for left in MEMORY.glob(f"{_NAME}*"):
        with suppress(OSError):  # another session may be at it, too
            if left.stat().st_uid == os.geteuid() and has_ended(int(left.name.removeprefix(_NAME))):
                if server := embedded.running(left):
                    server.stop("immediate")
                shutil.rmtree(left)


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


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
    clone = sql.SQL("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
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


@pytest.fixture
def bare(postgres: embedded.Server, postgres_admin: psycopg.Connection) -> Iterator[str]:
    """The connection string of a database that never was a ledger."""
    name = sql.Identifier("bare")
    postgres_admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
    yield postgres.dsn("bare")
    postgres_admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
