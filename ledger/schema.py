"""The schema as it should be: what the migrations of this version make of an empty database, held against what holds in this one.

Invariants: what is expected comes from the migrations alone, run in a database that is made for it and dropped; a read model's table is expected
by nobody, so it may be there or not. Errors: CannotCompare; psycopg's own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from ledger import sql as queries
from ledger.errors import LedgerError
from ledger.migrate import migrate

SQL: Final = queries.load(__file__)


class CannotCompare(LedgerError):
    """The schema cannot be compared here."""

    code = "cannot_compare"
    hint = "Run it as a login that may CREATE DATABASE; the database that is made for it is dropped again."


def faults(dsn: str) -> Iterator[str]:
    """What is not as the migrations make it, in sentences. Raises CannotCompare. `dsn` is the owner's, who may make a database."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = lines(connection)
        for role, option in connection.execute(SQL["unguarded"]):
            yield f"For {role} the setting {option} turns guards off."
        for (role,) in connection.execute(SQL["mighty"]):
            yield f"The role {role} could pass every guard."
        with _fresh(connection, dsn) as fresh:
            migrate(fresh)
            with psycopg.connect(fresh, autocommit=True) as beside:
                expected = lines(beside)
    for line in sorted(expected - found):
        yield f"Missing or changed: {_short(line)}"
    for line in sorted(found - expected):
        if " projections." not in line.partition("\n")[0]:
            yield f"Not of this ledger: {_short(line)}"


def lines(connection: Connection[Any]) -> set[str]:
    """What holds in a database, as text that is equal where it is equal."""
    with connection.transaction():
        # Names are then written in full.
        connection.execute("SET LOCAL search_path = pg_catalog")
        return {line for (line,) in connection.execute(SQL["lines"])}


@contextmanager
def _fresh(connection: Connection[Any], dsn: str) -> Iterator[str]:
    name = f"jobledger_schema_{secrets.token_hex(6)}"
    identifier = sql.Identifier(name)
    try:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(identifier)
        )
    except psycopg.errors.InsufficientPrivilege as error:
        raise CannotCompare(
            "The schema was not compared: this login may not make a database to compare it with."
        ) from error
    try:
        yield make_conninfo(dsn, dbname=name)
    finally:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def _short(line: str) -> str:
    words = " ".join(line.split())
    return words if len(words) <= 200 else f"{words[:200]} ..."
