"""A crowd of writers is seen in the log: by how many events share a commit, lately, and seldom asked."""

from __future__ import annotations

import asyncio

import pytest
from psycopg import Connection
from uuid_utils.compat import uuid7

from ledger.commands import Command, Write
from ledger.committer import Committer
from ledger.events import Created, Envelope
from projections import crowd
from projections.crowd import Crowd
from tests.fix_log import projector

ALONE, TOGETHER = 3, crowd.SHARED * 2


async def written(dsn: str, *commits: int) -> int:
    """So many events in each commit, one after the other; where the log ends."""
    envelope = Envelope(project="p", actor="a")
    async with Committer(dsn) as committer:
        for events in commits:
            commands = [
                Command(uuid7(), Created(type="Volume", owner="alma"), envelope)
                for _ in range(events)
            ]
            await committer.commit(Write(tuple(commands)))
        return committer.position


def seen(connection: Connection[object], reached: int) -> bool:
    return Crowd().there(connection, reached)


def test_it_is_there_while_many_share_a_commit(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red where events are counted whoever wrote them, and where those of long ago count as well."""
    monkeypatch.setattr(crowd, "EVENTS", 2 * TOGETHER)
    with projector(database) as connection:
        assert not seen(connection, 0), "nobody has written"
        alone = asyncio.run(written(database, *[ALONE] * 12))
        assert not seen(connection, alone)
        crowded = asyncio.run(written(database, TOGETHER, TOGETHER))
        assert seen(connection, crowded)
        assert not seen(connection, alone), "as far as was folded"
        calm = asyncio.run(written(database, *[ALONE] * 12))
        assert not seen(connection, calm)


def test_the_log_is_asked_seldom(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen red where it is asked each time."""
    monkeypatch.setattr(crowd, "LOOK_S", 3_600.0)
    one = Crowd()
    with projector(database) as connection:
        crowded = asyncio.run(written(database, TOGETHER))
        assert not one.there(connection, 0)
        assert not one.there(connection, crowded)
        monkeypatch.setattr(crowd, "LOOK_S", 0.0)
        assert one.there(connection, crowded)
