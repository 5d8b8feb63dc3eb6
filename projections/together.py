"""Jobs by id for many callers at once: the reading twin of group commit.

Invariants: whoever comes while a question is under way is in the next one, without a timer; one question serves several projects and sees no
others; each caller gets only what is of its own project; a caller that gives up takes nothing from the others. Errors: psycopg's own, to all
who asked together; Busy before the first build."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Self, TypeAlias
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.adapt import Transformer

from ledger import settings, sight
from ledger.connection import Role, conninfo
from ledger.errors import Busy
from ledger.wire import Wire
from projections import statement
from projections.reader import BUILDING
from projections.row import ID, PROJECT, Rows

Raw: TypeAlias = tuple[Any, ...]
Connection: TypeAlias = AsyncConnection[Raw]
Asked: TypeAlias = tuple[str, UUID, asyncio.Future[Rows]]

# As a wire sends it.
_STATEMENT: Final = b"(uuid[], text) AS " + statement.by_id().replace(b"%(ids)s", b"$1").replace(
    b"%(sight)s", b"$2"
)


class Together:
    """The gets of one process, on a connection of their own: borrowing one takes half as long as asking."""

    def __init__(self, dsn: str) -> None:
        self._conninfo = conninfo(dsn, Role.READER)
        self._wire: Wire | None = None
        self._waiting: list[Asked] = []
        self._asking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._asking is not None:
            await self._asking
        if self._wire is not None:
            await self._wire.close()

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
            return await _rows(await self._wired(), asked)
        except BUILDING as error:
            raise Busy("The read models are being made for the first time.") from error
        except psycopg.OperationalError:
            if self._wire is None or not self._wire.broken:
                raise
        # It broke while it was asked, and a question may be asked again.
        return await _rows(await self._wired(), asked)

    async def _wired(self) -> Wire:
        if self._wire is None or self._wire.broken:
            connection: Connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
            self._wire = await Wire.over(connection, _STATEMENT)
        return self._wire


async def _rows(wire: Wire, asked: set[tuple[str, UUID]]) -> dict[tuple[str, UUID], Raw]:
    ids = ",".join([f"{job_id.int:032x}" for _, job_id in asked])
    projects = tuple(sorted({project for project, _ in asked}))
    result = await wire.send(b"{%b}" % ids.encode(), sight.array(projects).encode())
    read = Transformer(wire.connection)
    read.set_pgresult(result)
    return {(row[PROJECT], row[ID]): row for row in read.load_rows(0, result.ntuples, tuple)}
