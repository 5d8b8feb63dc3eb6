"""Tracking: which position a read model has reached, kept by the eventsourcing library's recorder.

Invariants: a position only grows, which the recorder's statement sees to, so that two workers cannot both move it; it moves in the
transaction of the rows that it stands for. Errors: Moved, which is the library's IntegrityError."""

from __future__ import annotations

from typing import Any

from eventsourcing.persistence import IntegrityError, Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from psycopg import Connection
from psycopg.rows import dict_row

from ledger.connection import Role, conninfo, restore_loggers
from projections.projection import SCHEMA

restore_loggers()


class Moved(IntegrityError):
    """A read model does not stand where the one who folds it believes: somebody else has moved it."""


class Positions(PostgresTrackingRecorder):
    """The library's tracking recorder on our table: the DDL is a migration's, so it never makes any."""

    def __init__(self, dsn: str) -> None:
        datastore = PostgresDatastore(*("", "", "", "", ""), schema=SCHEMA)
        # A session of the library's own, which only its conformance tests ask for, is ours in role and timeouts as well.
        datastore.pool.conninfo = conninfo(dsn, Role.PROJECTOR)
        datastore.pool.kwargs = {"row_factory": dict_row}
        super().__init__(datastore)

    def move(self, connection: Connection[Any], table: str, position: int) -> None:
        """Move a read model's position, in the transaction under way. Raises Moved when it would not grow."""
        with connection.cursor(row_factory=dict_row) as cursor:
            try:
                self._insert_tracking(cursor, Tracking(table, position))
            except IntegrityError as error:
                raise Moved(str(error)) from error
