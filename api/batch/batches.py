"""Batches of one process: taken, and applied by its worker.

Invariants: what was taken is told to the worker at once, and to other processes by the database alone. Errors: LedgerErrors; psycopg's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from api import pools
from api.batch.acceptance import accept
from api.batch.question import Submission
from api.batch.readers import READERS
from api.batch.worker import Worker
from api.maintenance import Switch
from api.measures import Measures
from api.operation import Scope
from ledger.committer import Committed
from ledger.settings import Settings


class Batches:
    """`async with Batches(...)` runs the worker. `on_commit(position)` is called after each commit."""

    def __init__(
        self,
        dsn: str,
        switch: Switch,
        measures: Measures,
        chosen: Settings,
        *,
        on_commit: Callable[[int], None],
    ) -> None:
        self._pool = pools.batches(dsn)  # readers may not write
        self._measures = measures
        self._on_commit = on_commit
        self._worker = Worker(
            dsn,
            READERS,
            check=lambda: switch.check(Scope.JOBS_WRITE),
            on_commit=self._committed,
            results_days=chosen.batch_results_days,
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        await self._worker.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._worker.__aexit__()
        await self._pool.close()

    async def take(self, submission: Submission) -> Committed:
        """Keep a batch and create its job."""
        async with self._pool.connection() as connection:
            committed = await accept(connection, submission)
        if not committed.replayed:
            self._committed(committed.position, len(committed.recorded))
            self._worker.wake()
        return committed

    def _committed(self, position: int, events: int) -> None:
        self._measures.appended(events)
        self._on_commit(position)
