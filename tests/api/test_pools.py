"""Pools: a server that says nothing is given up, whatever psycopg waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from api.pools import Pool, questions
from ledger import settings
from tests.writes import DEADLINE_S

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    """One connection, of which the server may be silent for a moment."""
    monkeypatch.setattr(settings, "SILENCE_S", 0.1)
    opened = questions(database, 1)
    await opened.open(wait=True, timeout=DEADLINE_S)
    yield opened
    await opened.close()


async def test_a_server_that_says_nothing_is_given_up(pool: Pool) -> None:
    """As when its machine is frozen. Seen red with whoever asked waiting for as long."""
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(psycopg.OperationalError):
            async with pool.connection() as connection:
                await connection.execute("SELECT pg_sleep(3600)")
        async with pool.connection() as connection:
            assert await (await connection.execute("SELECT 1")).fetchone() == (1,)


async def test_who_is_answered_keeps_the_connection(pool: Pool) -> None:
    async with pool.connection() as connection:
        first = connection.info.backend_pid
    await asyncio.sleep(0.3)
    async with pool.connection() as connection:
        assert connection.info.backend_pid == first
