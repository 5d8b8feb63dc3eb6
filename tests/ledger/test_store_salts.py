"""Salts: every event has one of its own, and none can be had from the others. Seen red: a salt made from the position alone; one that is not
drawn where the batch brings none."""

from __future__ import annotations

from uuid import UUID, uuid4

import psycopg
import pydantic_core
import pytest
from psycopg import AsyncConnection

from ledger import events, store
from ledger.connection import Role, conninfo
from ledger.events import Created, Envelope
from ledger.store import Entry, Unit

pytestmark = pytest.mark.anyio
ANYBODY = Envelope(project="p", actor="a")


def units(count: int) -> list[Unit]:
    """New jobs with two events each."""
    made = []
    for _ in range(count):
        job_id = uuid4()
        said = (Created(type="t", owner="o"), events.Queued())
        entries = (
            Entry.of(job_id, version, uuid4(), event, ANYBODY)
            for version, event in enumerate(said, start=1)
        )
        made.append(Unit(tuple(entries)))
    return made


async def salts_after(dsn: str) -> list[str]:
    async with await AsyncConnection.connect(conninfo(dsn, Role.APP), autocommit=True) as one:
        for _ in range(3):
            await store.append(one, units(200))
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT salt::text FROM ledger.stored_events ORDER BY notification_id"
        ).fetchall()
    return [salt for (salt,) in rows]


async def test_each_event_has_a_salt_of_its_own(database: str) -> None:
    salts = await salts_after(database)
    assert len(set(salts)) == len(salts) == 1_200


async def test_two_ledgers_of_the_same_length_share_no_salt(
    database: str, module_database: str
) -> None:
    assert not set(await salts_after(database)) & set(await salts_after(module_database))


async def test_a_batch_brings_its_salts_and_lacks_none(database: str) -> None:
    """One of a process of an earlier version brings none."""
    batch = pydantic_core.from_json(store.encode_batch(units(2)))
    brought = [UUID(event[9]) for event in batch["events"]]
    for event in batch["events"][2:]:
        event[9] = None
    with psycopg.connect(conninfo(database, Role.APP), autocommit=True) as connection:
        connection.execute(store.SQL["append"], (pydantic_core.to_json(batch).decode(),))
        rows = connection.execute("SELECT salt FROM ledger.stored_events ORDER BY notification_id")
        salts = [salt for (salt,) in rows]
    assert salts[:2] == brought[:2]
    assert None not in salts
    assert len({*salts, *brought}) == 6
