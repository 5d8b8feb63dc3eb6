"""The wire: a connection on which one process sends what is prepared on it again and again, without waiting for the answers.

Invariants: what is sent is on its way when `send` returns, before anybody waits for it, so that what comes next can be made ready meanwhile, and sent
behind it: each is a transaction of its own, answered in order; what was sent is never cancelled; a server that leaves is noticed while nothing is
under way, and its socket let go in the same turn (see `ledger.ear`), and one that says nothing is given up. Values and answers are in PostgreSQL's
binary form where the statement's types have one. Errors: psycopg's own, from `send` and from what it returns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Self, TypeAlias

import psycopg
from psycopg import AsyncConnection, errors, pq

from ledger import settings

Answer: TypeAlias = asyncio.Future[pq.abc.PGresult]

_NAME: Final = b"jobledger_wire"
_NO_ANSWER: Final = "the connection ended without an answer"
_SILENT: Final = "the server has said nothing for too long"
_PREPARE: Final = b"PREPARE jobledger_wire "
# An error counts behind rows, too: a commit may fail when its statement has answered.
_TOLD: Final = (
    pq.ExecStatus.FATAL_ERROR,
    pq.ExecStatus.TUPLES_OK,
    pq.ExecStatus.COMMAND_OK,
)


class Wire:
    """Sends values on a connection that nobody else uses. psycopg's own cursor takes as long for one question as PostgreSQL does for ten events."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self.connection = connection
        self._pgconn = connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._pgconn.enter_pipeline_mode()
        self._asked: deque[Answer] = deque()
        self._results: list[pq.abc.PGresult] = []
        # Of a connection that breaks, psycopg forgets the number.
        self._socket = self._pgconn.socket
        self._writes = False
        # Whose answer has been due for how long, as far as was looked.
        self._due: Answer | None = None
        self._due_s = 0.0
        # For as long as there is a connection: to begin and to end it with each question takes as long as to decide two writes.
        self._loop.add_reader(self._socket, self._read)
        self._look_later()

    @classmethod
    async def over(cls, connection: AsyncConnection[Any], statement: bytes) -> Self:
        """A wire over a new connection in autocommit mode. `statement`: as PREPARE takes it behind its name, `(types) AS ...`."""
        try:
            await connection.execute(_PREPARE + statement)
        except BaseException:
            await connection.close()
            raise
        return cls(connection)

    @property
    def broken(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.connection.closed or self.connection.broken

    async def close(self) -> None:
        """Hang up."""
        self.let_go()
        await self.connection.close()

    def lose(self) -> None:
        """Give up a server that has said nothing for too long: whoever waits for an answer hears that there is none."""
        self._lost(psycopg.OperationalError(_SILENT))

    def let_go(self) -> None:
        """Hear no more of the socket, whose number may soon be another's: so only once."""
        if self._looking.cancelled():
            return
        self._looking.cancel()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._writes = False

    def send(self, *values: bytes) -> Answer:
        """Ask with these values; the answer comes later."""
        return self.ask(_NAME, values)

    def ask(
        self,
        name: bytes,
        values: Sequence[pq.abc.Buffer | None],
        formats: Sequence[int] | None = None,
    ) -> Answer:
        """The same of what was prepared under this name. `formats`: those of the values, when not all are text."""
        return self._sent(
            partial(self._pgconn.send_query_prepared, name, values, formats, pq.Format.BINARY)
        )

    def prepare(self, name: bytes, statement: bytes, types: Sequence[int]) -> Answer:
        """Have a statement ready under a name. `types`: those of its parameters, 0 for what PostgreSQL finds out."""
        return self._sent(partial(self._pgconn.send_prepare, name, statement, types))

    def forget(self, name: bytes) -> Answer:
        """Have what was prepared under a name no more."""
        return self._sent(partial(self._pgconn.send_query_params, b"DEALLOCATE " + name, None))

    def _sent(self, send: Callable[[], None]) -> Answer:
        try:
            send()
            self._pgconn.pipeline_sync()
            left = bool(self._pgconn.flush())
        except psycopg.Error as error:
            if self.broken:
                self._lost(error)
            raise
        answer = self._loop.create_future()
        self._asked.append(answer)
        if left and not self._writes:
            self._writes = True
            self._loop.add_writer(self._socket, self._write)
        return answer

    def _look_later(self) -> None:
        self._looking = self._loop.call_later(settings.FOLLOW_POLL_S, self._look)

    def _look(self) -> None:
        """See by ourselves: a loop may tell nothing more of a socket that was reset, as when a server is killed before it has read all. And a server
        that is frozen, or waits for its disk or a standby for ever, keeps the connection, and no timeout of its own."""
        self._look_later()
        self._read()
        due, now_s = self._asked[0] if self._asked else None, self._loop.time()
        if due is None or due is not self._due:
            self._due, self._due_s = due, now_s
        elif now_s - self._due_s > settings.SILENCE_S:
            self.lose()

    def _write(self) -> None:
        """There is room for more of large values."""
        try:
            if not self._pgconn.flush():
                self._written()
        except psycopg.Error as error:
            self._lost(error)

    def _written(self) -> None:
        if self._writes:
            self._loop.remove_writer(self._socket)
            self._writes = False

    def _read(self) -> None:
        """Something has come: answers, or the end of the connection."""
        try:
            self._pgconn.consume_input()
            idle = False
            while self._asked and not idle and not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    if self.broken:
                        raise psycopg.OperationalError(_NO_ANSWER)
                    # One comes behind each answer, before the end of its transaction; and for ever where there is nothing more to read.
                    idle = not self._results
                elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                    self._finish()
                else:
                    self._results.append(result)
        except psycopg.Error as error:
            self._lost(error)

    def _finish(self) -> None:
        """The transaction of the first question is over."""
        answer, results = self._asked.popleft(), self._results
        self._results = []
        if not answer.done():
            outcome = _answer(results)
            if isinstance(outcome, psycopg.Error):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

    def _lost(self, error: psycopg.Error) -> None:
        """The connection broke, and is given up: nobody knows what became of whatever was asked."""
        self.let_go()
        self._pgconn.finish()
        asked, self._asked, self._results = self._asked, deque(), []
        for answer in asked:
            if not answer.done():
                answer.set_exception(error)


def _answer(results: Sequence[pq.abc.PGresult]) -> pq.abc.PGresult | psycopg.Error:
    for status in _TOLD:
        for result in results:
            if result.status == status:
                failed = status == pq.ExecStatus.FATAL_ERROR
                return errors.error_from_result(result) if failed else result
    return psycopg.OperationalError(_NO_ANSWER)
