"""Retries that are looked up while other writes are decided: both read on one connection, and neither may stand in the other's transaction.

Seen red: without turns at that connection, some reads never ended and the rest failed for as long as the process lived."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from ledger.commands import Key, Write
from ledger.committer import Committer
from ledger.events import Event, Noted
from tests.writes import creation, write

pytestmark = pytest.mark.anyio
JOBS = 20
ROUNDS = 4


async def test_retries_and_new_writes_do_not_harm_each_other(database: str) -> None:
    jobs = [uuid4() for _ in range(JOBS)]

    def keyed(nth: int, event: Event) -> Write:
        said = write(jobs[nth], event)
        return Write(said.commands, Key(said.commands[0].envelope.project, str(uuid4()), b"x"))

    first = [keyed(nth, creation()) for nth in range(JOBS)]
    async with Committer(database) as committer:
        told = await asyncio.gather(*map(committer.commit, first))
    for _ in range(ROUNDS):
        async with Committer(database) as committer:  # it knows nothing yet, so that it has to read

            async def retry(nth: int, committer: Committer = committer) -> None:
                for _ in range(5):
                    again = await committer.commit(first[nth])
                    assert again.replayed
                    assert again.jobs == told[nth].jobs

            async def move(nth: int, committer: Committer = committer) -> None:
                await committer.commit(keyed(nth, Noted()))

            await asyncio.gather(*map(retry, range(JOBS)), *map(move, range(JOBS)))
