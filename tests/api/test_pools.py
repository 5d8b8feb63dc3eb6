"""Pools: a server that says nothing is given up, whatever psycopg waits for."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from api.pools import questions
from ledger import settings
from tests.writes import DEADLINE_S

pytestmark = pytest.mark.anyio


async def test_a_server_that_says_nothing_is_given_up(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its machine is frozen. Seen red with whoever asked waiting for as long."""
    monkeypatch.setattr(settings, "SILENCE_S", 0.1)
    pool = questions(database, 1)
    await pool.open(wait=True, timeout=DEADLINE_S)
    try:
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(psycopg.OperationalError):
                async with pool.connection() as connection:
                    await connection.execute("SELECT pg_sleep(3600)")
            async with pool.connection() as connection:
                assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
    finally:
        await pool.close()


async def test_who_is_answered_keeps_the_connection(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SILENCE_S", 0.1)
    pool = questions(database, 1)
    await pool.open(wait=True, timeout=DEADLINE_S)
    try:
        async with pool.connection() as connection:
            first = connection.info.backend_pid
        await asyncio.sleep(0.3)
        async with pool.connection() as connection:
            assert connection.info.backend_pid == first
    finally:
        await pool.close()
