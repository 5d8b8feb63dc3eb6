"""The bell: what was rung is heard, once, from this process and from others."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from psycopg import Connection

from ledger import settings
from ledger.wake import AWAITED, CHANNEL
from projections.bell import Bell
from tests.fix_log import projector

NEVER = 3_600.0


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with projector(database) as connection:
        Bell.listen(connection)
        yield connection


@pytest.fixture
def bell() -> Iterator[Bell]:
    bell = Bell()
    yield bell
    bell.close()


def test_what_was_rung_before_is_heard_once(bell: Bell, connection: Connection[Any]) -> None:
    assert bell.wait(connection, 0) is None
    for position in (3, 9, 7):
        bell.ring(position)
    assert bell.wait(connection, NEVER) == 9
    assert bell.wait(connection, 0) is None


def test_it_wakes_who_waits(bell: Bell, connection: Connection[Any]) -> None:
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(bell.wait, connection, NEVER)
        bell.ring(4)
        assert waiting.result() == 4


def test_ringing_never_blocks(bell: Bell, connection: Connection[Any]) -> None:
    for position in range(1, 100_001):
        bell.ring(position)
    assert bell.wait(connection, NEVER) == 100_000


def test_what_came_with_the_answers_of_a_fold_is_heard(
    bell: Bell, connection: Connection[Any], database: str
) -> None:
    """Seen red without a look at what the connection has read: the wait then lasts until its end, half a second of every busy follower's time."""
    with projector(database) as other:
        other.execute(f"NOTIFY {CHANNEL}, '7'".encode())
        connection.execute("SELECT 1")
        connection.execute("SELECT 1")
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(bell.wait, connection, NEVER)
        try:
            assert waiting.result(timeout=10) == 7
        finally:
            bell.ring()


def test_it_knows_whether_somebody_waited_lately(
    bell: Bell, connection: Connection[Any], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "AWAITED_S", NEVER)
    with projector(database) as other, projector(database) as past:
        Bell.listen(past, past=True)
        for awaited, channel in enumerate((CHANNEL, AWAITED)):
            other.execute("SELECT pg_notify(%s, '')", (channel,))
            assert bell.wait(connection, NEVER) is None
            assert bell.awaited == bool(awaited)
        # Nobody waits for what is past by waiting for what is now: of three it hears two, in their order.
        other.execute("SELECT pg_notify(%s, 'the end')", (CHANNEL,))
        heard = list(past.notifies(timeout=30, stop_after=2))
        assert [(one.channel, one.payload) for one in heard] == [
            (CHANNEL, ""),
            (CHANNEL, "the end"),
        ]
    monkeypatch.setattr(settings, "AWAITED_S", 0.0)
    assert not bell.awaited


def test_a_closed_bell_is_silent() -> None:
    bell = Bell()
    bell.close()
    bell.ring(1)


@pytest.mark.parametrize(
    ("payloads", "told"),
    [
        (["5"], 5),
        (["5", "12", "7"], 12),
        ([""], None),
        # Somebody has news, but does not say how far: look at the log.
        (["5", ""], None),
        (["many"], None),
        (["-5"], None),
        (["9" * 5_000], None),
        (["٣"], 3),
    ],
)
def test_other_processes_are_heard(
    bell: Bell,
    connection: Connection[Any],
    database: str,
    payloads: list[str],
    told: int | None,
) -> None:
    with projector(database) as other, other.transaction():
        for payload in payloads:
            other.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
    heard = bell.wait(connection, NEVER)
    assert heard == told
