"""The worker: applies the items of batches, a slice at a time, in the background.

Invariants: whoever holds the advisory lock works, every other process stands by; each project's turn is one slice long; events, results and the
batch's own progress are one transaction, so a crash leaves all of them or none, and an item is never applied twice; whatever one item or batch
does wrong, the others go on. Units: seconds. Errors: none escape."""

from __future__ import annotations

import asyncio
import contextlib
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

import psycopg
import structlog
from psycopg import AsyncConnection

from api.batch import slice as slices
from api.batch.wish import Reader
from ledger import batches, names, settings, store
from ledger.batches import Batch
from ledger.connection import Role, conninfo, heard
from ledger.errors import Busy, Invalid, LedgerError
from ledger.folded import FoldedJobs
from ledger.job import Job, State
from ledger.store import Appended, Connection

log = structlog.get_logger("api.batch")

LOCK = zlib.crc32(b"jobledger batches")


class Moved(Exception):
    """Somebody else changed a job of the slice meanwhile: it has to be decided anew."""


class Elsewhere(Exception):
    """Somebody else has gone on with the batch, though we believed to be alone."""


class Worker:
    """Works in one process. `on_commit(position, events)` is called after each commit; `check` raises Busy while nothing may be written."""

    def __init__(
        self,
        dsn: str,
        readers: Mapping[str, Reader],
        *,
        check: Callable[[], Awaitable[None]],
        on_commit: Callable[[int, int], None],
        results_days: int,
    ) -> None:
        self._conninfo = conninfo(dsn, Role.APP)
        self._readers = readers
        self._check = check
        self._on_commit = on_commit
        self._results_days = results_days
        self._jobs = FoldedJobs()
        self._news = asyncio.Event()
        self._ending = False
        self._task: asyncio.Task[None] | None = None
        self._swept_at_s = -settings.BATCH_SWEEP_S
        # Batches that went wrong as a whole, and until when they are left alone.
        self._resting: dict[UUID, float] = {}

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="batches")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop after the slice under way."""
        self._ending = True
        self._news.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    def wake(self) -> None:
        """There is a new batch."""
        self._news.set()

    async def _run(self) -> None:
        pause_s = settings.RESTART_S_MIN
        while not self._ending:
            try:
                async with await AsyncConnection.connect(
                    self._conninfo, autocommit=True, connect_timeout=int(settings.RECONNECT_S)
                ) as connection:
                    if await self._fenced(connection):
                        pause_s = settings.RESTART_S_MIN
                        await self._work(connection)
            except Exception as error:  # noqa: BLE001 - the worker outlives whatever befalls its database
                log.warning("the worker begins again", error=str(error))
                await self._rest(pause_s)
                pause_s = min(pause_s * 2, settings.RESTART_S_MAX)

    async def _fenced(self, connection: Connection) -> bool:
        """Wait for the lock; False when the worker was stopped before it got it."""
        while not self._ending:
            with heard(connection):
                cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))
                if await cursor.fetchone() == (True,):
                    return True
            await self._rest(settings.BATCH_POLL_S)
        return False

    async def _rest(self, pause_s: float) -> None:
        """Until there is news, or it is time to look again."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), pause_s)
        if not self._ending:
            self._news.clear()

    async def _work(self, connection: Connection) -> None:
        while not self._ending:
            try:
                await self._check()
                busy = await self._round(connection)
            except Busy as error:
                log.info("batches wait", reason=str(error))
                busy = False
            if not busy:
                await self._sweep(connection)
                await self._rest(settings.BATCH_POLL_S)

    async def _round(self, connection: Connection) -> bool:
        """One slice for each project that has something waiting; False when there was nothing to do."""
        busy = False
        with heard(connection):
            waiting = await batches.next_of_each(connection)
        for batch in waiting:
            if self._ending:
                return False
            if self._resting.get(batch.job_id, 0) > time.monotonic():
                continue
            busy = True
            try:
                with heard(connection):
                    await self._turn(connection, batch)
                self._resting.pop(batch.job_id, None)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                raise
            except Exception:
                # It stays where it is, for an operator to look at; others must not wait for that.
                log.exception("a batch does not go on", batch=str(batch.job_id))
                self._resting[batch.job_id] = time.monotonic() + settings.RESTART_S_MAX
        return busy

    async def _turn(self, connection: Connection, batch: Batch) -> None:
        """Apply a slice, a smaller one while others keep changing its jobs, or while something in it cannot be stored."""
        limit = settings.BATCH_SLICE_ITEMS_MAX
        while not self._ending:
            job = await self._job(connection, batch)
            try:
                if job.absorbed:
                    # Called off, or ended by somebody else: what has no result never gets one.
                    await self._save(connection, batch, slices.Decided(finished=True))
                elif job.state is State.PROCESSING:
                    await self._save(
                        connection, batch, await self._decided(connection, batch, job, limit)
                    )
                else:
                    await self._save(connection, batch, slices.started(batch, job, _now()))
                    continue
            except Moved:
                limit = max(1, limit // 2)
            except Elsewhere:
                return
            except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded, LedgerError) as error:
                if limit == 1:
                    await self._give_up(connection, batch, error)
                    return
                limit = 1
            else:
                return

    async def _decided(
        self, connection: Connection, batch: Batch, job: Job, limit: int
    ) -> slices.Decided:
        items = await batches.items(connection, batch, limit)
        read = slices.read(batch, items, self._readers[batch.form])
        ids = await names.ids_of(connection, batch.project, slices.names(read))
        await self._jobs.refresh(connection, set(ids.values()))
        numbers = iter(await store.numbers(connection, slices.creations(read)))
        return slices.decide(batch, read, job, ids, self._jobs, numbers, _now())

    async def _give_up(self, connection: Connection, batch: Batch, error: Exception) -> None:
        """The next item cannot be applied whatever is done: that is its result."""
        log.warning("an item cannot be applied", batch=str(batch.job_id), error=str(error))
        if not isinstance(error, LedgerError):
            error = Invalid("The database cannot store this item.")
        job = await self._job(connection, batch)
        alone = [slices.Read(batch.applied, error)]
        decided = slices.decide(batch, alone, job, {}, {}, iter(()), _now())
        await self._save(connection, batch, decided)

    async def _job(self, connection: Connection, batch: Batch) -> Job:
        await self._jobs.refresh(connection, {batch.job_id})
        return self._jobs[batch.job_id]

    async def _save(self, connection: Connection, batch: Batch, decided: slices.Decided) -> None:
        """Events, results and progress, all or none. Raises Moved, Elsewhere."""
        unit, position = decided.unit, 0
        async with connection.transaction():
            if not await batches.hold(connection, batch):
                raise Elsewhere
            if unit.entries:
                [answer] = await store.append(connection, [unit])
                if not isinstance(answer, Appended):
                    raise Moved
                position = answer.position
            results = decided.results_at(position)
            await batches.record(connection, batch, results, finished=decided.finished)
        self._jobs.trim()
        if unit.entries:
            self._on_commit(position + len(unit.entries) - 1, len(unit.entries))

    async def _sweep(self, connection: Connection) -> None:
        """Remove what is kept no longer."""
        if time.monotonic() - self._swept_at_s < settings.BATCH_SWEEP_S:
            return
        self._swept_at_s = time.monotonic()
        with heard(connection):
            count = await batches.forget_outdated(connection, self._results_days)
        if count:
            log.info("results of batches removed", batches=count)


def _now() -> datetime:
    return datetime.now(UTC)
