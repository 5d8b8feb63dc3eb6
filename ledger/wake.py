"""Wake-ups: telling followers in other processes that the log has grown.

Invariants: a wake-up is a hint and may be lost, since whoever waits for one polls as well; it is sent after the commit, never inside it,
and many commits share one, for a while when nobody waits for what followers make of them. Its payload is a position, or nothing.
Errors: none; a lost connection is made anew with the next wake-up."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self

import psycopg
from psycopg import AsyncConnection

from ledger import settings
from ledger.connection import Role, conninfo
from ledger.store import Connection

CHANNEL = "jobledger_appended"


class Herald:
    """Sends the wake-ups of one process, at most one each `settings.WAKE_PAUSE_S`, and within `settings.WAKE_HELD_S`."""

    def __init__(self, dsn: str) -> None:
        self._conninfo = conninfo(dsn, Role.APP)
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()
        self._position = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="herald")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def announce(self, position: int) -> None:
        """The log has grown up to this position. Returns at once."""
        self._position = max(self._position, position)
        self._news.set()

    def hurry(self) -> None:
        """Somebody waits for what was announced. Returns at once."""
        self._hurry.set()

    async def _held(self) -> None:
        """Let more commits share the wake-up, until somebody waits for it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.WAKE_HELD_S):
                await self._hurry.wait()

    async def _run(self) -> None:
        connection: Connection | None = None
        try:
            while True:
                await self._news.wait()
                await self._held()
                self._news.clear()
                self._hurry.clear()
                try:
                    if connection is None or connection.closed or connection.broken:
                        connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
                        # Nothing is lost with a wake-up: it need not wait for the disk.
                        await connection.execute("SET synchronous_commit = off")
                    await connection.execute(
                        "SELECT pg_notify(%s, %s)", (CHANNEL, str(self._position)), prepare=True
                    )
                except psycopg.Error:
                    connection = None
                await asyncio.sleep(settings.WAKE_PAUSE_S)
        finally:
            if connection is not None:
                await connection.close()
