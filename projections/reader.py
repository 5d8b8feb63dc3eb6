"""The reader: a statement about jobs, asked behind the wall between tenants.

Invariants: the connection is in autocommit mode and UTC; answers come in binary, so that times and ids need no parsing. Errors: Busy while a read
model is built for the first time or for a version that shows more; psycopg's own."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from ledger.errors import Busy
from ledger.sight import Sight, rows
from ledger.store import Connection
from projections.statement import Parameters

# Readers see no table yet, or until the next version is built one that lacks a column.
BUILDING: Final = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)


async def read(
    connection: Connection, sight: Sight, text: bytes, values: Parameters, *, walk: bool = False
) -> list[tuple[Any, ...]]:
    """The rows of an answer. Without a sight, the statement sets it by itself."""
    try:
        return await rows(connection, sight, text, values, prepare=True, binary=True, walk=walk)
    except BUILDING as error:
        raise Busy("The read models are being made.") from error
