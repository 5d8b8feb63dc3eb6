"""Tracking: which position a read model has reached, kept by the eventsourcing library's recorder.

Invariants: a position only grows, which the recorder's statement sees to, so that two workers cannot both move it; it moves in the
transaction of the rows that it stands for. Errors: the library's IntegrityError when it would not grow."""

from __future__ import annotations

from typing import Any

from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from ledger.connection import restore_loggers
from projections.projection import SCHEMA

restore_loggers()


class Positions(PostgresTrackingRecorder):
    """The library's tracking recorder on our table: the DDL is a migration's, so it never makes any."""

    def __init__(self, dsn: str) -> None:
        where = conninfo_to_dict(dsn)
        datastore = PostgresDatastore(
            dbname=str(where.get("dbname") or ""),
            host=str(where.get("host") or ""),
            port=str(where.get("port") or "5432"),
            user=str(where.get("user") or ""),
            password=str(where.get("password") or ""),
            schema=SCHEMA,
        )
        super().__init__(datastore)

    def move(self, connection: Connection[Any], table: str, position: int) -> None:
        """Move a read model's position, in the transaction under way."""
        with connection.cursor(row_factory=dict_row) as cursor:
            self._insert_tracking(cursor, Tracking(table, position))
