"""An ear: what others tell, in order and until the connection ends.

Seen red: with only the first notice of a packet taken, and with an ear that does not notice that its connection was ended."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from ledger import settings
from ledger.ear import hear
from tests.writes import until

pytestmark = pytest.mark.anyio
LEAVE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def test_all_that_is_told_is_heard_once_and_in_order(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "FOLLOW_POLL_S", 3_600.0)  # nor by looking again later
    heard: list[str] = []
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute("LISTEN news")
        hearing = asyncio.create_task(hear(connection, heard.extend))
        with psycopg.connect(database) as other:
            for commit in ("ab", "cde"):
                for word in commit:
                    other.execute("SELECT pg_notify('news', %s)", (word,))
                other.commit()
        await until(lambda: len(heard) == 5)
        hearing.cancel()
    assert heard == ["a", "b", "c", "d", "e"]


async def test_a_connection_that_ends_is_noticed_at_once(database: str) -> None:
    connection = await psycopg.AsyncConnection.connect(database, autocommit=True)
    async with asyncio.timeout(30):
        hearing = asyncio.create_task(hear(connection, lambda words: None))
        await asyncio.sleep(0)
        with psycopg.connect(database, autocommit=True) as other:
            other.execute(LEAVE)
        await hearing
    await connection.close()
