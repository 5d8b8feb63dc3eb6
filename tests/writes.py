"""Writes for tests: short ways to say them, to hold the log still, and to read all of it.

Invariants: each job is created under an id of its own; a held log lets readers pass and no append."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection

from ledger import store
from ledger.commands import Command, Key, Write
from ledger.connection import Role, conninfo
from ledger.events import Created, Envelope, Event, Recorded
from tests.histories import ANN

DEADLINE_S = 30.0


def creation(number: int | None = None, **named: Any) -> Created:
    return Created(type="t", owner="o", number=number, **named)


def write(
    job_id: UUID,
    *said: Event,
    key: Key | None = None,
    if_version: int | None = None,
    envelope: Envelope = ANN,
) -> Write:
    """These events of one job."""
    return Write(tuple(Command(job_id, event, envelope, if_version) for event in said), key)


def batch(*said: tuple[UUID, Event], key: Key | None = None, envelope: Envelope = ANN) -> Write:
    """Events of several jobs, all or none."""
    return Write(tuple(Command(job_id, event, envelope) for job_id, event in said), key)


def keyed(name: str | None = None, request: bytes = b"r") -> Key:
    return Key("demo", name or str(uuid4()), request)


async def read_log(dsn: str) -> list[Recorded]:
    """All of it."""
    async with await AsyncConnection.connect(conninfo(dsn, Role.APP), autocommit=True) as reader:
        log: list[Recorded] = []
        while page := await store.read_after(reader, len(log), 10_000):
            log += page
        return log


@asynccontextmanager
async def held(dsn: str) -> AsyncIterator[store.Connection]:
    """Nobody can append while this lasts."""
    async with await AsyncConnection.connect(dsn) as holder:
        await holder.execute("SELECT 1 FROM ledger.head FOR UPDATE")
        yield holder
        await holder.rollback()


async def appends_wait(holder: store.Connection, count: int = 1) -> None:
    """Until so many appends wait for the held log."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(DEADLINE_S):
        while (await (await holder.execute(asked)).fetchone()) != (count,):
            # A transaction sees one picture of the statistics until told otherwise.
            await holder.execute("SELECT pg_stat_clear_snapshot()")


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until the condition holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - it is somebody else's, who sends no word of it
            await asyncio.sleep(0)
