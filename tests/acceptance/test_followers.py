"""Nobody who follows the log skips, repeats or reorders an event, whatever the writers do: 16 of them, some rolling back, and 4 followers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from ledger import store
from ledger.committer import Committer
from ledger.connection import Role, conninfo
from ledger.events import Noted
from ledger.store import Appended, Connection, Entry, Unit
from ledger.wake import CHANNEL, Herald
from tests.histories import ANN
from tests.writes import creation, read_log, write

pytestmark = pytest.mark.anyio

COMMITTERS, TASKS_OF_EACH = 4, 2
RAW_WRITERS = 8
EVENTS_MIN = 20_000
# What a raw writer does between its append and its end: work in the server, with the log's lock in hand.
DELAYS = ("SELECT 1", "SELECT count(*) FROM generate_series(1, 3000)", "SELECT pg_backend_pid()")


@dataclass
class Follower:
    """Reads page after page from the beginning. `woken`: it listens; otherwise it only looks again and again."""

    woken: bool
    limit_max: int
    saw: list[tuple[int, str]] = field(default_factory=list)

    async def follow(self, dsn: str, end: asyncio.Future[int], chance: random.Random) -> None:
        opened = await AsyncConnection.connect(conninfo(dsn, Role.APP), autocommit=True)
        async with opened as connection:
            if self.woken:
                await connection.execute(f"LISTEN {CHANNEL}")
            position = 0
            while not end.done() or position < end.result():
                limit = chance.randrange(1, self.limit_max)
                page = await store.read_after(connection, position, limit)
                self.saw += [(recorded.position, str(recorded.event_id)) for recorded in page]
                if page:
                    position = page[-1].position
                elif self.woken:
                    async for _ in connection.notifies(timeout=0.05, stop_after=1):
                        pass


@dataclass
class Written:
    """What writers were told."""

    saved: int = 0
    rolled_back: int = 0


async def through_committer(
    committer: Committer, written: Written, enough: Callable[[], bool], chance: random.Random
) -> None:
    """Writes of a few events, one after another."""
    while not enough():
        asked = [
            committer.commit(write(uuid4(), creation(), *[Noted()] * chance.randrange(4)))
            for _ in range(chance.randrange(1, 12))
        ]
        for saved in await asyncio.gather(*asked):
            written.saved += len(saved.recorded)


async def raw(
    dsn: str, written: Written, enough: Callable[[], bool], chance: random.Random
) -> None:
    """A transaction around each append, which takes its time and is then committed or rolled back."""
    async with await AsyncConnection.connect(
        conninfo(dsn, Role.APP), autocommit=True
    ) as connection:
        while not enough():
            units = [unit(chance.randrange(1, 4)) for _ in range(chance.randrange(1, 6))]
            undone = chance.random() < 0.3
            async with connection.transaction(force_rollback=undone):
                await linger(connection, chance)
                answers = await store.append(connection, units)
                await linger(connection, chance)
            assert all(isinstance(answer, Appended) for answer in answers)
            count = sum(len(one.entries) for one in units)
            if undone:
                written.rolled_back += count
            else:
                written.saved += count


def unit(count: int) -> Unit:
    job_id = uuid4()
    entries = (Entry.of(job_id, nth, uuid4(), Noted(), ANN) for nth in range(1, count + 1))
    return Unit(tuple(entries))


async def linger(connection: Connection, chance: random.Random) -> None:
    await connection.execute(chance.choice(DELAYS).encode())


async def test_sixteen_writers_and_four_followers(database: str) -> None:
    chance = random.Random(16)
    written = Written()
    followers = [
        Follower(True, 50),
        Follower(True, 2_000),
        Follower(False, 50),
        Follower(False, 700),
    ]
    end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def enough() -> bool:
        return written.saved >= EVENTS_MIN

    async with AsyncExitStack() as stack:
        following = await stack.enter_async_context(asyncio.TaskGroup())
        herald = await stack.enter_async_context(Herald(database))
        committers = [
            await stack.enter_async_context(Committer(database, on_commit=herald.announce))
            for _ in range(COMMITTERS)
        ]
        for follower in followers:
            following.create_task(follower.follow(database, end, random.Random(chance.random())))
        async with asyncio.TaskGroup() as writing:
            for committer in committers * TASKS_OF_EACH:
                its_own = random.Random(chance.random())
                writing.create_task(through_committer(committer, written, enough, its_own))
            for _ in range(RAW_WRITERS):
                writing.create_task(raw(database, written, enough, random.Random(chance.random())))
        end.set_result(written.saved)
    log = [(recorded.position, str(recorded.event_id)) for recorded in await read_log(database)]
    assert [position for position, _ in log] == list(range(1, written.saved + 1))
    for follower in followers:
        seen = [position for position, _ in follower.saw]
        print(
            f"skipped {len(set(range(1, len(log) + 1)) - set(seen))},"
            f" repeated {len(seen) - len(set(seen))},"
            f" reordered {sum(a > b for a, b in pairwise(seen))} of {len(log)}"
        )
    assert all(follower.saw == log for follower in followers)
    assert written.rolled_back > 100
