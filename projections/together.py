"""Jobs by id for many callers at once: the reading twin of group commit.

Invariants: whoever comes while a question is under way is in the next one, without a timer; one question serves several projects and sees no
others; each caller gets only what is of its own project; a caller that gives up takes nothing from the others. Errors: psycopg's own, to all
who asked together; Busy before the first build."""

from __future__ import annotations

import asyncio
from typing import Any, Self, TypeAlias
from uuid import UUID

from ledger import settings, sight
from ledger.wires import Wires
from projections import statement, walk
from projections.reader import read
from projections.row import ID, PROJECT, Rows

Raw: TypeAlias = tuple[Any, ...]
Asked: TypeAlias = tuple[str, UUID, asyncio.Future[Rows]]


class Together:
    """The gets of one process, on a connection of their own that keeps their plan: borrowing one takes half as long as asking, planning longer."""

    def __init__(self, dsn: str) -> None:
        self._wires = Wires(walk.conninfo(dsn), 1)
        self._waiting: list[Asked] = []
        self._asking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._wires.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> None:
        if self._asking is not None:
            await self._asking
        await self._wires.__aexit__(*raised)

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
        ids = ",".join([f"{job_id.int:032x}" for _, job_id in asked])
        projects = tuple(sorted({project for project, _ in asked}))
        values = {"ids": f"{{{ids}}}", "sight": sight.array(projects)}
        rows = await read(self._wires, None, statement.by_id(), values)
        return {(row[PROJECT], row[ID]): row for row in rows}
