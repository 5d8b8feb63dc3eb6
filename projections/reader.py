"""The reader: a statement about jobs, asked behind the wall between tenants.

Invariants: a connection is in autocommit mode and UTC, and only statements that set their sight by themselves are asked on wires, which walk; answers
come in binary, so that times and ids need no parsing. Errors: Busy while a read model is built for the first time or for a version that shows more,
and once to each connection when one of other types has taken its place; psycopg's own."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import psycopg

from ledger.errors import Busy
from ledger.sight import Sight, rows
from ledger.store import Connection
from ledger.wires import Wires
from projections.statement import Parameters

# What is asked.
Source: TypeAlias = Connection | Wires

# Readers see no table yet, or until the next version is built one that lacks a column.
BUILDING: Final = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)


async def read(
    source: Source, sight: Sight, text: bytes, values: Parameters, *, walk: bool = False
) -> list[tuple[Any, ...]]:
    """The rows of an answer. Without a sight, the statement sets it by itself."""
    try:
        if isinstance(source, Wires):
            assert sight is None, "It would see nothing."
            return await source.rows(text, values)
        return await _asked(source, sight, text, values, walk=walk)
    except BUILDING as error:
        raise Busy("The read models are being made.") from error


async def _asked(
    connection: Connection, sight: Sight, text: bytes, values: Parameters, *, walk: bool
) -> list[tuple[Any, ...]]:
    try:
        return await rows(connection, sight, text, values, prepare=True, binary=True, walk=walk)
    except psycopg.errors.FeatureNotSupported as error:
        # What was prepared answers with other types by now, and this connection would be told so for ever.
        await connection.close()
        raise Busy("The read models have been replaced just now.") from error
