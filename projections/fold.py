"""A fold: a function of the session that takes one table on from a position, in one call.

Invariants: rows and position move together or not at all; a call outside a transaction is one of its own, and within one it can fail alone.
Units: positions. Errors: Moved; psycopg's DataError when an event is of a topic or a shape that the fold does not know."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from psycopg import Connection, pq
from psycopg import sql as composed
from psycopg.types.numeric import Int8

from ledger import settings, sql
from projections import spans
from projections.crier import CHANNEL
from projections.projection import Projection
from projections.tracking import Moved

SQL: Final = sql.load(__file__)
_POSITION_MAX: Final = 2**63 - 1

# The tables that each session has a function for. It ends with the session, so that it is always of the code that runs.
_known: WeakKeyDictionary[Connection[Any], set[str]] = WeakKeyDictionary()


def fold(
    connection: Connection[Any],
    projection: Projection,
    table: str,
    start: int,
    to: int,
    *,
    aloud: bool = False,
) -> int:
    """Fold the events behind `start` up to `to`, or the end of the log; how far it is then. `aloud`: tell other processes with the commit."""
    within = connection.info.transaction_status != pq.TransactionStatus.IDLE
    known = _known.setdefault(connection, set())
    with connection.transaction() if within else nullcontext():
        # One made in a transaction may be gone with it.
        if within or table not in known:
            connection.execute(_made(projection, table))
        if not within:
            known.add(table)
        span = (Int8(start), Int8(min(to, _POSITION_MAX)), Int8(settings.COUNTS_STRETCH), aloud)
        try:
            row = connection.execute(_called(table), span, prepare=True).fetchone()
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            raise Moved(error.diag.message_primary) from error
    assert row is not None
    return int(row[0])


def _named(table: str) -> composed.Identifier:
    return composed.Identifier("pg_temp", f"fold {table}")


@cache
def _called(table: str) -> bytes:
    return composed.SQL("SELECT {}(%s, %s, %s, %s)").format(_named(table)).as_bytes()


def _made(projection: Projection, table: str) -> composed.Composed:
    erase = "erase" in projection.queries
    return composed.SQL(SQL["function"]).format(
        function=_named(table),
        name=composed.Literal(projection.name),
        tracked=composed.Literal(table),
        channel=composed.Literal(CHANNEL),
        fold=_spanned(projection, "fold", table),
        erase=_spanned(projection, "erase", table) if erase else composed.SQL("NULL"),
    )


def _spanned(projection: Projection, query: str, table: str) -> composed.SQL:
    """One of its queries, with the function's arguments for parameters; the lengths of spans stand in it."""
    text = projection.statement(query, table).as_string()
    for nth, parameter in enumerate(("from", "to", "stretch"), 1):
        text = text.replace(f"%({parameter})s", f"${nth}")
    lengths = ",".join(map(str, spans.SPANS_S))
    return composed.SQL(text.replace("%(spans_s)s", f"'{{{lengths}}}'"))
