"""Nonces: whether a signed request is one that no process has seen before.

Invariants: what is new is on disk, and at a standby where commits wait for one, before its request is let in; each question is a commit, so that
these connections are nobody else's, and one that does not end in time is withdrawn, lest connections be left behind in the database for as long as
a standby is away. Units: seconds. Errors: those of psycopg and psycopg_pool; TimeoutError."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final, Self

from api import keys, pools
from ledger import settings

CONNECTIONS_MAX: Final = 4


class Nonces:
    """Those of one process, and what it asks others by. `async with` opens it."""

    def __init__(self, dsn: str) -> None:
        self._pool = pools.nonces(dsn, CONNECTIONS_MAX)

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def is_new(self, key_id: str, nonce: str) -> bool:
        """Whether no process has seen this nonce of the key's: only to be asked of requests whose signature fits, so that strangers fill nothing."""
        keep_s = settings.SIGNED_WINDOW_S + 2 * settings.SIGNED_AHEAD_S_MAX
        said = (key_id, nonce, timedelta(seconds=keep_s))
        async with self._pool.connection() as connection, asyncio.timeout(settings.LOCK_TIMEOUT_S):
            cursor = await connection.execute(keys.SQL["nonce"], said, prepare=True)
            return await cursor.fetchone() == (True,)
