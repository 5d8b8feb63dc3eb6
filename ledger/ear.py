"""An ear: a connection on which one process hears what others tell, and asks nothing.

Invariants: what comes is handed on in the turn of the loop that finds it, in order; the socket is listened to once and for as long as there is a
connection, since psycopg's own way, which begins and ends with each notice, takes as long as half an append. A socket that libpq has closed is let go
in the same turn: its number may be another's in the next, and uvloop ends the process, without a word, when it is to watch what is closed. What was
told before there was an ear nobody hears. Errors: none; a connection that is lost ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import AsyncConnection

from ledger import settings


async def hear(connection: AsyncConnection[Any], heard: Callable[[list[str]], None]) -> None:
    """Hear on a connection that nobody else uses until it ends. `heard(words)` is called on the event loop."""
    pgconn, loop = connection.pgconn, asyncio.get_running_loop()
    lost: asyncio.Future[None] = loop.create_future()
    socket = pgconn.socket  # of a connection that breaks, psycopg forgets the number

    def read() -> None:
        words = []
        try:
            pgconn.consume_input()
            while (notice := pgconn.notifies()) is not None:
                words.append(notice.extra.decode())
        except psycopg.Error:
            let_go()
        if words:
            heard(words)

    def let_go() -> None:
        if not lost.done():
            loop.remove_reader(socket)
            lost.set_result(None)

    loop.add_reader(socket, read)
    try:
        while not lost.done():
            read()  # by ourselves, too: a loop may tell nothing more of a socket that was reset
            await asyncio.wait({lost}, timeout=settings.FOLLOW_POLL_S)
    finally:
        let_go()
