"""Wake-ups: telling followers in other processes that the log has grown.

Invariants: a wake-up is a hint and may be lost, since whoever waits for one polls as well; it is sent after the commit, never inside it, and many
commits share one, or need none while followers are awake. Its payload is a position, or nothing: come at once. Errors: none; a lost connection is
made anew with the next wake-up."""

from __future__ import annotations

import asyncio
import contextlib
from math import inf
from types import TracebackType
from typing import Self

import psycopg
from psycopg import AsyncConnection

from ledger import settings
from ledger.connection import Role, conninfo
from ledger.store import Connection

CHANNEL = "jobledger_appended"
AWAITED = "jobledger_awaited"  # where those who wait for followers that come by themselves tell them to come sooner
FOLLOWED = "jobledger_reached"  # where followers tell of themselves: news for whoever is not woken meanwhile

# A word for each of some channels.
_TELL = (
    "SELECT pg_notify(channel, payload) FROM unnest(%s::text[], %s::text[]) n (channel, payload)"
)


class Herald:
    """Sends the wake-ups of one process: at once to followers that sleep, and else only when they do not come in time."""

    def __init__(self, dsn: str) -> None:
        self._conninfo = conninfo(dsn, Role.APP)
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()
        self._hurried: set[str] = set()  # the channels whose listeners are to come at once
        self._awaited_s = -inf  # when they were last told that somebody waits
        self._position = 0
        self._followed = 0
        self._stirred_s = -inf  # when the followers last told of themselves, or were told
        self._held_s = settings.WAKE_HELD_S  # for how long from then on they are trusted to come
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

    def followed(self, position: int) -> None:
        """Followers have come up to this position, and look for more by themselves. Returns at once."""
        now_s = asyncio.get_running_loop().time()
        # Those who take many at once rest longer on purpose, unless somebody waits.
        many = position - self._followed > settings.FOLD_RUSH_EVENTS
        resting = many and now_s - self._awaited_s >= settings.AWAITED_S
        self._held_s = settings.WAKE_HELD_S + (settings.FOLD_BEAT_S_MAX if resting else 0.0)
        self._stirred_s = now_s
        self._followed = max(self._followed, position)

    def hurry(self) -> None:
        """Somebody waits for followers that rest on purpose. Returns at once."""
        self._call(CHANNEL)

    def awaited(self) -> None:
        """Somebody waits for followers, which rest longer while nobody does: told at most twice in `settings.AWAITED_S`. Returns at once."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._awaited_s >= settings.AWAITED_S / 2:
            self._awaited_s = now_s
            self._call(AWAITED)

    def _call(self, channel: str) -> None:
        self._hurried.add(channel)
        self._hurry.set()
        self._news.set()

    async def _held(self) -> None:
        """Leave it to followers that are awake to find what was announced, as long as they tell of themselves."""
        time = asyncio.get_running_loop().time
        while self._followed < self._position:
            left_s = self._stirred_s + self._held_s - time()
            if left_s <= 0 or self._hurry.is_set():
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._hurry.wait()

    async def _run(self) -> None:
        connection: Connection | None = None
        try:
            while True:
                await self._news.wait()
                await self._held()
                hurried, self._hurried = self._hurried, set()
                self._news.clear()
                self._hurry.clear()
                if self._followed >= self._position and not hurried:
                    continue
                try:
                    if connection is None or connection.closed or connection.broken:
                        connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
                        # Nothing is lost with a wake-up: it need not wait for the disk.
                        await connection.execute("SET synchronous_commit = off")
                    told = dict.fromkeys((CHANNEL, *hurried), "")
                    if CHANNEL not in hurried:
                        told[CHANNEL] = str(self._position)
                    await connection.execute(_TELL, (list(told), [*told.values()]), prepare=True)
                    self._stirred_s = asyncio.get_running_loop().time()
                except psycopg.Error:
                    connection = None
        finally:
            if connection is not None:
                await connection.close()
