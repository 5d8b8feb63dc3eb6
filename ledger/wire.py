"""The wire: the connection on which one process appends, one commit at a time.

Invariants: a commit is on its way when `send` returns, before anybody waits for it, so that what comes next can be decided meanwhile; one is
under way at a time; what was sent is never cancelled. Errors: psycopg's own, from `send` and from what it returns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pydantic_core
from psycopg import errors, pq

from ledger.store import Connection

_NAME: Final = b"jobledger_append"
_PREPARE: Final = (
    "PREPARE jobledger_append (jsonb) AS SELECT head, moment, refused FROM ledger.append($1)"
)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # from which PostgreSQL counts its microseconds

# The position before the batch, the time of record, and what was refused: what ledger.append answers.
Answer = tuple[int, datetime, list[list[Any]] | None]


class Wire:
    """Sends batches on a connection that nobody else uses. psycopg's own cursor takes as long for one as PostgreSQL does for ten events."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Answer] | None = None
        self._results: list[pq.abc.PGresult] = []
        # Of a connection that breaks, psycopg forgets the number.
        self._socket = self._pgconn.socket
        self._writes = False
        # For as long as there is a connection: to begin and to end it with each commit takes as long as to decide two writes.
        self._loop.add_reader(self._socket, self._read)

    @classmethod
    async def over(cls, connection: Connection) -> Wire:
        """A wire over a new connection in autocommit mode."""
        await connection.execute(_PREPARE)
        return cls(connection)

    @property
    def broken(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._connection.closed or self._connection.broken

    async def close(self) -> None:
        """Hang up."""
        self.let_go()
        await self._connection.close()

    def let_go(self) -> None:
        """Hear no more of the socket, whose number may soon be another's."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._writes = False

    def send(self, batch: bytes) -> asyncio.Future[Answer]:
        """Append an encoded batch; the answer comes later."""
        assert self._answer is None, "one commit at a time"
        self._results = []
        try:
            self._pgconn.send_query_prepared(_NAME, [batch], result_format=pq.Format.BINARY)
            self._writes = bool(self._pgconn.flush())
        except psycopg.Error:
            if self.broken:
                self.let_go()
            raise
        self._answer = self._loop.create_future()
        if self._writes:
            self._loop.add_writer(self._socket, self._write)
        return self._answer

    def _write(self) -> None:
        """There is room for more of a large batch."""
        try:
            if not self._pgconn.flush():
                self._written()
        except psycopg.Error as error:
            self._finish(error)

    def _written(self) -> None:
        if self._writes:
            self._loop.remove_writer(self._socket)
            self._writes = False

    def _read(self) -> None:
        """Something has come: an answer, or the end of the connection."""
        try:
            self._pgconn.consume_input()
            while self._answer is not None and not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    self._finish(_answer(self._results))
                    return
                self._results.append(result)
        except psycopg.Error as error:
            self._finish(error)

    def _finish(self, outcome: Answer | psycopg.Error) -> None:
        answer, self._answer = self._answer, None
        if self.broken:
            self.let_go()
        self._written()
        if answer is None or answer.done():
            return
        if isinstance(outcome, psycopg.Error):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)


def _answer(results: Sequence[pq.abc.PGresult]) -> Answer | psycopg.Error:
    for result in results:
        if result.status == pq.ExecStatus.TUPLES_OK and result.ntuples == 1:
            return _row(result)
        if result.status == pq.ExecStatus.FATAL_ERROR:
            return errors.error_from_result(result)
    return psycopg.OperationalError("the connection ended without an answer")


def _row(result: pq.abc.PGresult) -> Answer:
    head, moment, refused = (result.get_value(0, column) for column in range(3))
    assert head is not None
    assert moment is not None
    us = int.from_bytes(moment, "big", signed=True)
    return (
        int.from_bytes(head, "big"),
        _EPOCH + timedelta(microseconds=us),
        # Behind the version of the format.
        None if refused is None else pydantic_core.from_json(bytes(refused)[1:]),
    )
