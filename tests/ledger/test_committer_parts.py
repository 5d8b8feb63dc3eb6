"""Callers who come back together: by parts that overlap where the pace says so, and else in one commit.

Seen red: without it callers who were once told together came back together, were decided together, and shared one commit for ever, however quick
commits were; half the time nobody was at the database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest

from ledger import events, store
from ledger.committer import Committer
from ledger.pace import Pace
from ledger.store import Unit
from tests.writes import creation, write

pytestmark = pytest.mark.anyio
CALLERS = 8
ROUNDS = 6


@pytest.mark.parametrize(("together", "most"), [(4, 4), (6, 4), (100, 8)])
async def test_who_is_told_together_comes_back_by_parts(
    database: str, monkeypatch: pytest.MonkeyPatch, together: int, most: int
) -> None:
    sizes: list[int] = []
    encode = store.encode_batch

    def counted(units: Sequence[Unit]) -> bytes:
        sizes.append(len(units))
        return encode(units)

    monkeypatch.setattr(store, "encode_batch", counted)
    monkeypatch.setattr(Pace, "together", together)
    jobs = [uuid4() for _ in range(CALLERS)]
    async with Committer(database) as committer:

        async def call(nth: int) -> None:
            for _ in range(ROUNDS):
                await committer.commit(write(jobs[nth], events.Noted()))

        await asyncio.gather(*(committer.commit(write(job, creation())) for job in jobs))
        sizes.clear()
        await asyncio.gather(*map(call, range(CALLERS)))
    assert sum(sizes) == CALLERS * ROUNDS
    assert max(sizes) == most, sizes
