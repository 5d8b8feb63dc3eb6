"""An ear: a connection on which one process hears what others tell, and asks nothing.

Invariants: what comes is handed on in the turn of the loop that finds it, in order; the socket is listened to once and for as long as there is a
connection, since psycopg's own way, which begins and ends with each notice, takes as long as half an append. What was told before there was an ear
nobody hears. Errors: none; an ear that is lost says so by the end of `lost`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import AsyncConnection

from ledger import settings


class Ear:
    """Hears on a connection that nobody else uses. `heard(words)` is called on the event loop."""

    def __init__(
        self, connection: AsyncConnection[Any], heard: Callable[[list[str]], None]
    ) -> None:
        self._pgconn = connection.pgconn
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        # Of a connection that breaks, psycopg forgets the number.
        self._socket = self._pgconn.socket
        self._loop.add_reader(self._socket, self._read)
        self._look()

    async def lost(self) -> None:
        """Hear until the connection ends."""
        try:
            await self._lost
        finally:
            self._looking.cancel()
            self._loop.remove_reader(self._socket)

    def _look(self) -> None:
        """See by ourselves: a loop may tell nothing more of a socket that was reset."""
        self._looking = self._loop.call_later(settings.FOLLOW_POLL_S, self._look)
        self._read()

    def _read(self) -> None:
        words = []
        try:
            self._pgconn.consume_input()
            while (notice := self._pgconn.notifies()) is not None:
                words.append(notice.extra.decode())
        except psycopg.Error:
            if not self._lost.done():
                self._lost.set_result(None)
        if words:
            self._heard(words)
