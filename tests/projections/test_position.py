"""Positions on show, and waiting for them: one look serves all who wait, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from ledger import settings
from ledger.connection import Role, conninfo
from ledger.wake import Herald
from projections import PROJECTIONS, position
from projections.build import Poison
from projections.crier import CHANNEL
from projections.position import Reached, Waiter, positions
from tests.fix_log import LIVES, builds, forger, projector, record

pytestmark = pytest.mark.anyio
LOG = LIVES
NAMES = [projection.name for projection in PROJECTIONS]
PAST = [projection.name for projection in PROJECTIONS if projection.past]
NOW = [name for name in NAMES if name not in PAST]
NEVER = 3_600.0


@pytest.fixture
def maker(database: str) -> Iterator[Connection[Any]]:
    with forger(database) as connection, projector(database) as maker:
        record(connection, LOG)
        yield maker


@asynccontextmanager
async def pool_of(dsn: str) -> AsyncIterator[AsyncConnectionPool[AsyncConnection[Any]]]:
    async with AsyncConnectionPool(
        conninfo(dsn, Role.APP), kwargs={"autocommit": True}, min_size=1, open=False
    ) as pool:
        yield pool


async def shown(dsn: str) -> dict[str, Reached]:
    async with await AsyncConnection.connect(conninfo(dsn, Role.APP)) as connection:
        return await positions(connection)


def fold(dsn: str, maker: Connection[Any], to: int) -> None:
    for build in builds(dsn):
        start = build.position(maker)
        if start is None:
            build.create(maker)
            with maker.transaction():
                build.show(maker)
        build.advance(maker, start or 0, to)


async def test_how_far_they_are(maker: Connection[Any], database: str) -> None:
    head = len(LOG)
    assert await shown(database) == {name: Reached(name, 0, head) for name in NAMES}
    build = builds(database)[0]
    build.create(maker)
    build.stopped(maker, Poison(build.table, 1, "it is bad"))
    # Stopped before any reader saw it.
    assert (await shown(database))["jobs"] == Reached("jobs", 0, head, "event 1: it is bad")
    build.resumed(maker)
    build.drop(maker)
    fold(database, maker, 7)
    assert await shown(database) == {name: Reached(name, 7, head - 7) for name in NAMES}
    build.stopped(maker, Poison(build.table, 8, "it is bad"))
    assert await shown(database) == {
        **{name: Reached(name, 7, head - 7) for name in NAMES},
        "jobs": Reached("jobs", 7, head - 7, "event 8: it is bad"),
    }


async def test_it_waits_for_all_that_are_asked_now(
    maker: Connection[Any], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "WAIT_POLL_S", NEVER)
    async with pool_of(database) as pool, Waiter(pool) as waiter:
        assert await waiter.reached(0, 0)
        five, nine = (asyncio.create_task(waiter.reached(at, NEVER)) for at in (5, 9))
        given_up = asyncio.create_task(waiter.reached(9, NEVER))
        await asyncio.sleep(0)
        given_up.cancel()
        for name in NOW[:-1]:
            waiter.progressed(name, 9)
        await asyncio.sleep(0)
        assert not five.done()
        waiter.progressed(NOW[-1], 6)
        assert await five
        assert not nine.done()
        # Nobody goes back.
        waiter.progressed(NOW[-1], 2)
        assert await waiter.reached(6, 0)
        assert not await waiter.reached(7, 0)
        waiter.progressed(NOW[-1], 9)
        assert await nine


async def test_only_who_asks_about_the_past_waits_for_its_read_models(
    maker: Connection[Any], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red with one line for both: a write then waits for what it does not ask, or a list of the past is made of half a past."""
    monkeypatch.setattr(settings, "WAIT_POLL_S", NEVER)
    async with pool_of(database) as pool, Waiter(pool) as waiter:
        past = asyncio.create_task(waiter.reached(5, NEVER, past=True))
        for name in NOW:
            waiter.progressed(name, 5)
        assert await waiter.reached(5, 0)
        assert not await waiter.reached(5, 0, past=True)
        for name in PAST:
            assert not past.done()
            waiter.progressed(name, 5)
        assert await past


async def test_the_herald_hears_who_comes_and_who_is_waited_for(
    maker: Connection[Any], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "WAIT_POLL_S", NEVER)
    herald = Herald(database)
    heard: list[int | str] = []
    monkeypatch.setattr(herald, "followed", heard.append)
    monkeypatch.setattr(herald, "hurry", lambda: heard.append("hurry"))
    monkeypatch.setattr(herald, "awaited", lambda: heard.append("awaited"))
    async with pool_of(database) as pool, Waiter(pool, herald=herald) as waiter:
        for name in (*NOW, *PAST):
            waiter.progressed(name, 5)
        assert heard == [5]
        assert not await waiter.reached(6, 0)
        assert await waiter.reached(5, 0, past=True)
        assert heard == [5, "awaited"]
        assert not await waiter.reached(6, 0, past=True)
        assert heard == [5, "awaited", "hurry"]


async def test_it_sees_what_other_processes_fold(maker: Connection[Any], database: str) -> None:
    async with pool_of(database) as pool, Waiter(pool) as waiter:
        waiting = [asyncio.create_task(waiter.reached(at, NEVER)) for at in (1, 7, 7)]
        await asyncio.to_thread(fold, database, maker, 7)
        assert await asyncio.gather(*waiting) == [True] * 3
        assert not await waiter.reached(8, 0.01)
        waiting = [asyncio.create_task(waiter.reached(len(LOG), NEVER))]
        await asyncio.to_thread(fold, database, maker, len(LOG))
        assert await waiting[0]


async def test_one_look_serves_all(
    maker: Connection[Any], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    looked = position.positions

    async def counted(connection: AsyncConnection[Any]) -> dict[str, Reached]:
        nonlocal looks
        looks += 1
        return await looked(connection)

    monkeypatch.setattr(position, "positions", counted)
    fold(database, maker, len(LOG))
    async with pool_of(database) as pool, Waiter(pool) as waiter:
        answers = await asyncio.gather(*(waiter.reached(len(LOG), NEVER) for _ in range(500)))
        assert all(answers)
        assert looks == 1


async def test_it_hears_what_another_process_folds(
    maker: Connection[Any], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "WAIT_POLL_S", NEVER)
    async with pool_of(database) as pool, Waiter(pool, database) as waiter:
        await listened(database)
        waiting = asyncio.create_task(waiter.reached(9, 30))
        for name in NAMES:
            maker.execute("SELECT pg_notify(%s, %s)", (CHANNEL, f"{name} 8"))
        maker.execute("SELECT pg_notify(%s, 'nobody 9')", (CHANNEL,))
        maker.execute("SELECT pg_notify(%s, 'nonsense')", (CHANNEL,))
        assert await waiter.reached(8, 30)
        assert not waiting.done()
        for name in NAMES:
            maker.execute("SELECT pg_notify(%s, %s)", (CHANNEL, f"{name} 9"))
        assert await waiting


async def listened(dsn: str) -> None:
    """Until somebody listens."""
    async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
        for _ in range(3_000):
            found = await connection.execute(
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%' AND state = 'idle'"
            )
            if found.rowcount:
                return
            await asyncio.sleep(0.01)
    raise AssertionError("nobody ever listened")
