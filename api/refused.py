"""Refused commands: kept with reason and principal, for auditors, after their callers have been answered.

Invariants: nobody waits for it, least of all a command that is accepted; what is kept is bounded, per project and hour and in memory; what failed for
want of room or of the database is no refusal. Units: seconds. Errors: none escape; what cannot be kept is logged."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final, Self

import psycopg
import pydantic_core
import structlog
from psycopg import AsyncConnection

from api.faults import Behind, Forbidden, NoSuchProject
from api.operation import Asked, Operation, Scope
from ledger import settings
from ledger.connection import Role, conninfo
from ledger.errors import BatchRefused, Busy, KeyInFlight, LedgerError

log = structlog.get_logger("api")

_COMMANDS: Final = (Scope.JOBS_WRITE, Scope.JOBS_CANCEL)
_TOLD_MAX: Final = 5  # commands of a refused batch whose reasons are told
_KEEP: Final = "SELECT ledger.refused(%s::jsonb, %s)"
_NAMES: Final = ("id", "jobId", "job_id")


class Refusals:
    """What one process has refused and not kept yet. `async with` keeps it, until the end."""

    def __init__(self, dsn: str) -> None:
        self._conninfo = conninfo(dsn, Role.APP)
        self._waiting: list[list[Any]] = []
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="refusals")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._keep()

    def note(self, operation: Operation, asked: Asked, error: LedgerError) -> None:
        """A principal was refused something."""
        if asked.principal is None or not _counts(operation, error):
            return
        if len(self._waiting) >= settings.REFUSALS_WAITING_MAX:
            log.warning("refusal not kept", code=error.code, request_id=asked.request_id)
            return
        who = asked.principal
        job = next((asked.path_params[n] for n in _NAMES if n in asked.path_params), None)
        self._waiting.append(
            [
                *(who.project, asked.now, _kept(who.name), who.key_id, asked.request_id),
                *(operation.id, None if job is None else _kept(job), error.code, _reason(error)),
            ]
        )
        self._something.set()

    async def _run(self) -> None:
        while True:
            await self._something.wait()
            # Those that come meanwhile share the commit.
            await asyncio.sleep(settings.REFUSALS_PAUSE_S)
            self._something.clear()
            await self._keep()

    async def _keep(self) -> None:
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        text = pydantic_core.to_json(batch).decode()
        try:
            # A commit may wait for a standby that is away, and the end of the server for this one.
            async with (
                asyncio.timeout(settings.LOCK_TIMEOUT_S),
                await AsyncConnection.connect(self._conninfo, autocommit=True) as connection,
            ):
                await connection.execute(_KEEP, (text, settings.REFUSALS_KEPT_PER_HOUR))
        except (psycopg.Error, TimeoutError) as error:
            log.warning("refusals not kept", refusals=len(batch), error=str(error) or "in time")


def _counts(operation: Operation, error: LedgerError) -> bool:
    """Whether it is the refusal of a command, or of somebody who may not."""
    if isinstance(error, Forbidden | NoSuchProject):
        return True
    passing = isinstance(error, Busy | Behind | KeyInFlight) or error.changed is not False
    return operation.scope in _COMMANDS and not passing


def _reason(error: LedgerError) -> str:
    sentence = str(error)
    if isinstance(error, BatchRefused):
        told = (f"{one.index}: {one.error.code}: {one.error}" for one in error.failures[:_TOLD_MAX])
        sentence = " ".join((sentence, *told))
    return _kept(sentence)


def _kept(word: str) -> str:
    """A text as PostgreSQL can hold it, and not too long."""
    shown = word.replace("\x00", "\ufffd").encode(errors="replace").decode()
    return shown[: settings.REFUSAL_REASON_LENGTH_MAX]
