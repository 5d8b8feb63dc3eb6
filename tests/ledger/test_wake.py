"""The herald: many commits share one wake-up, which names the last position, and a lost connection is made anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg import AsyncConnection

from ledger import settings
from ledger.wake import AWAITED, CHANNEL, Herald

pytestmark = pytest.mark.anyio


@pytest.fixture
async def listener(database: str) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CHANNEL}".encode())
        yield connection


async def heard(listener: AsyncConnection[Any], last: str) -> list[str]:
    """What is told until and with the notice awaited."""
    payloads = []
    async for notice in listener.notifies(timeout=30):
        payloads.append(notice.payload)
        if notice.payload == last:
            return payloads
    raise AssertionError(f"{last} was never told, but {payloads}")


async def test_many_commits_share_one(database: str, listener: AsyncConnection[Any]) -> None:
    async with Herald(database) as herald:
        for position in (*range(1_000), 7):
            herald.announce(position)
        assert await heard(listener, "999") == ["999"]
        # And again, with the next one.
        herald.announce(1_000)
        assert await heard(listener, "1000") == ["1000"]


async def test_no_other_follows_at_once(
    database: str, listener: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "WAKE_HELD_S", 3_600.0)
    async with Herald(database) as herald:
        herald.announce(1)
        await heard(listener, "1")
        herald.announce(2)
        await listener.execute("SELECT pg_notify(%s, 'the end')", (CHANNEL,))
        assert await heard(listener, "the end") == ["the end"]


async def test_a_lost_connection_is_made_anew(
    database: str, listener: AsyncConnection[Any]
) -> None:
    async with Herald(database) as herald:
        herald.announce(1)
        await heard(listener, "1")
        await listener.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        told = asyncio.create_task(heard(listener, "50"))
        position = 1
        while not told.done():
            # A wake-up may be lost with the connection; the next one comes.
            position = min(position + 1, 50)
            herald.announce(position)
            await asyncio.sleep(settings.WAKE_HELD_S / 2)
        assert await told


async def test_followers_that_are_awake_come_by_themselves(
    database: str, listener: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "WAKE_HELD_S", 3_600.0)
    async with Herald(database) as herald:
        herald.followed(1)
        herald.announce(2)
        herald.followed(2)
        herald.announce(3)
        await asyncio.sleep(0)
        await listener.execute("SELECT pg_notify(%s, 'nothing yet')", (CHANNEL,))
        assert await heard(listener, "nothing yet") == ["nothing yet"]
        # But those that rest on purpose do not, and one that sleeps is woken at once.
        herald.hurry()
        assert await heard(listener, "") == [""]


async def test_followers_that_take_many_rest_longer_unless_somebody_waits(
    database: str, listener: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red where they are woken as soon as others, and where who waits changes nothing."""
    monkeypatch.setattr(settings, "FOLD_BEAT_S_MAX", 3_600.0)
    # However long the machine takes until the last line.
    monkeypatch.setattr(settings, "AWAITED_S", 3_600.0)
    many = 2 * settings.FOLD_RUSH_EVENTS
    async with Herald(database) as herald:
        herald.followed(many)
        herald.announce(many + 1)
        await asyncio.sleep(2 * settings.WAKE_HELD_S)
        await listener.execute("SELECT pg_notify(%s, 'nothing yet')", (CHANNEL,))
        assert await heard(listener, "nothing yet") == ["nothing yet"]
        herald.awaited()
        assert await heard(listener, str(many + 1)) == [str(many + 1)]
        herald.followed(2 * many)
        herald.announce(2 * many + 1)
        assert await heard(listener, str(2 * many + 1)) == [str(2 * many + 1)]


async def test_who_waits_is_told_of_at_once_and_seldom(
    database: str, listener: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red where each who waits is told of."""
    monkeypatch.setattr(settings, "WAKE_HELD_S", 3_600.0)
    monkeypatch.setattr(settings, "AWAITED_S", 3_600.0)
    async with (
        await AsyncConnection.connect(database, autocommit=True) as follower,
        Herald(database) as herald,
    ):
        await follower.execute(f"LISTEN {AWAITED}".encode())
        herald.followed(1)
        herald.announce(2)
        herald.awaited()
        # With it goes what those who are not waited for want to know.
        assert await heard(listener, "2") == ["2"]
        herald.awaited()
        herald.hurry()
        assert await heard(listener, "") == [""]
        await listener.execute("SELECT pg_notify(%s, 'the end')", (AWAITED,))
        assert await heard(follower, "the end") == ["", "the end"]


async def test_followers_that_do_not_come_are_woken(
    database: str, listener: AsyncConnection[Any]
) -> None:
    async with Herald(database) as herald:
        herald.followed(1)
        herald.announce(3)
        herald.followed(2)
        assert await heard(listener, "3") == ["3"]
        # What they have already is not told.
        herald.announce(4)
        herald.followed(4)
        await asyncio.sleep(2 * settings.WAKE_HELD_S)
        herald.announce(5)
        assert await heard(listener, "5") == ["5"]
