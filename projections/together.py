"""Jobs by id for many callers at once: the reading twin of group commit.

Invariants: whoever comes while a question is under way is in the next one, without a timer; one question serves several projects and sees no
others; each caller gets only what is of its own project; a caller that gives up takes nothing from the others. Errors: psycopg's own, to all
who asked together; Busy before the first build."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final, Self, TypeAlias
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, errors, pq
from psycopg.adapt import Transformer

from ledger import settings, sight
from ledger.connection import Role, alive, conninfo
from ledger.errors import Busy
from projections import statement
from projections.row import ID, PROJECT, Rows

Raw: TypeAlias = tuple[Any, ...]
Connection: TypeAlias = AsyncConnection[Raw]
Asked: TypeAlias = tuple[str, UUID, asyncio.Future[Rows]]

_NAME: Final = b"jobledger_gets"
_PREPARE: Final = b"PREPARE jobledger_gets (uuid[], text) AS " + statement.by_id().replace(
    b"%(ids)s", b"$1"
).replace(b"%(sight)s", b"$2")


class Together:
    """The gets of one process, on a connection of their own: borrowing one takes half as long as asking."""

    def __init__(self, dsn: str) -> None:
        self._conninfo = conninfo(dsn, Role.READER)
        self._connection: Connection | None = None
        self._waiting: list[Asked] = []
        self._asking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._asking is not None:
            await self._asking
        if self._connection is not None:
            await self._connection.close()

    async def job(self, project: str, job_id: UUID) -> Rows:
        """The job of a project with this id, or none."""
        future: asyncio.Future[Rows] = asyncio.get_running_loop().create_future()
        self._waiting.append((project, job_id, future))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="gets")
        return await future

    async def _ask(self) -> None:
        """Ask for those who wait, and for those who came meanwhile, until nobody waits."""
        while self._waiting:
            asked = self._waiting[: settings.GETS_MAX]
            del self._waiting[: settings.GETS_MAX]
            try:
                found = await self._rows({(project, job_id) for project, job_id, _ in asked})
            except Exception as error:  # noqa: BLE001 - each of those who wait raises it where it is told
                for _, _, future in asked:
                    if not future.done():
                        future.set_exception(error)
                continue
            for project, job_id, future in asked:
                if not future.done():
                    row = found.get((project, job_id))
                    future.set_result(Rows(() if row is None else (row,)))
        self._asking = None

    async def _rows(self, asked: set[tuple[str, UUID]]) -> dict[tuple[str, UUID], Raw]:
        try:
            return await _rows(await self._connected(), asked)
        except psycopg.errors.UndefinedTable as error:
            raise Busy("The read models are being made for the first time.") from error
        except psycopg.OperationalError:
            if self._connection is None or not self._connection.closed:
                raise
        # It broke while it was asked, and a question may be asked again.
        return await _rows(await self._connected(), asked)

    async def _connected(self) -> Connection:
        if self._connection is not None:
            try:
                await alive(self._connection)
                return self._connection
            except psycopg.OperationalError:
                await self._connection.close()
                self._connection = None
        self._connection = await _prepared(self._conninfo)
        return self._connection


async def _prepared(words: str) -> Connection:
    connection = await AsyncConnection.connect(words, autocommit=True)
    try:
        await connection.execute(_PREPARE)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _rows(
    connection: Connection, asked: set[tuple[str, UUID]]
) -> dict[tuple[str, UUID], Raw]:
    ids = ",".join([f"{job_id.int:032x}" for _, job_id in asked])
    projects = tuple(sorted({project for project, _ in asked}))
    values = [b"{%b}" % ids.encode(), sight.array(projects).encode()]
    result = await _result(connection.pgconn, values)
    read = Transformer(connection)
    read.set_pgresult(result)
    return {(row[PROJECT], row[ID]): row for row in read.load_rows(0, result.ntuples, tuple)}


async def _result(asking: pq.abc.PGconn, values: list[bytes]) -> pq.abc.PGresult:
    """What the database answers. A cursor takes four times as many steps, which is a third of all that a lone get takes."""
    loop = asyncio.get_running_loop()
    there: asyncio.Future[list[pq.abc.PGresult]] = loop.create_future()
    found: list[pq.abc.PGresult] = []

    def read() -> None:
        try:
            asking.consume_input()
            while not asking.is_busy():
                result = asking.get_result()
                if result is None:
                    loop.remove_reader(socket)
                    there.set_result(found)
                    return
                found.append(result)
        except psycopg.Error as error:
            loop.remove_reader(socket)
            there.set_exception(error)

    def write() -> None:
        # What could not be written will not be answered, which whoever reads finds out.
        with suppress(psycopg.Error):
            if asking.flush():
                return
        loop.remove_writer(socket)

    socket = asking.socket
    asking.send_query_prepared(_NAME, values, result_format=pq.Format.BINARY)
    if asking.flush():
        loop.add_writer(socket, write)
    loop.add_reader(socket, read)
    try:
        await there
    finally:
        loop.remove_reader(socket)
        loop.remove_writer(socket)
    if not found:
        raise psycopg.OperationalError("the connection ended without an answer")
    if found[0].status != pq.ExecStatus.TUPLES_OK:
        raise errors.error_from_result(found[0])
    return found[0]
