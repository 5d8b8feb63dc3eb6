"""Scrubbing: what PostgreSQL itself still remembers of rows that were erased.

Invariants: what is read stays what it was. Statistics hold samples of values, so they are made anew after each erasure; pages hold the old rows until
they are rewritten, which locks each table for as long as that takes. Units: none. Errors: psycopg's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg import sql as text

from ledger import sql

SQL: Final = sql.load(__file__)


def forget_samples(connection: Connection[Any]) -> None:
    """Make the statistics of every table of the ledger anew. The connection is the database owner's, in autocommit mode."""
    for schema, table in connection.execute(SQL["tables"]).fetchall():
        connection.execute(text.SQL("ANALYZE {}").format(text.Identifier(schema, table)))


def rewrite(
    connection: Connection[Any], progress: Callable[[int, int], None] = lambda done, total: None
) -> bool:
    """Write every table of the ledger anew, one after the other; readers and writers of a table wait meanwhile.

    The old files go with the next checkpoint of the server: False when this login may not ask for one."""
    tables = [*connection.execute(SQL["tables"]).fetchall(), ("pg_catalog", "pg_statistic")]
    for nth, (schema, table) in enumerate(tables):
        progress(nth, len(tables))
        connection.execute(text.SQL("VACUUM (FULL) {}").format(text.Identifier(schema, table)))
    progress(len(tables), len(tables))
    try:
        connection.execute("CHECKPOINT")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True
