"""Numbers and other identities: given by clients, drawn by the ledger, never twice; batches that collide name who did."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

import pytest

from ledger import events, settings
from ledger.committer import Committed, Committer
from ledger.errors import BatchRefused, IdentityTaken
from ledger.events import Created, Event
from tests.writes import batch, creation, keyed, read_log, write

pytestmark = pytest.mark.anyio


async def test_automatic_numbers_never_meet_those_that_clients_give(database: str) -> None:
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(Committer(database)) for _ in range(2)]

        async def number(committer: Committer, given: int | None = None) -> int:
            return (await committer.commit(write(uuid4(), creation(given)))).jobs[0].number

        assert await number(one) == 1
        assert await number(other) > 1
        # These were drawn by `one` already, and not used yet.
        for given in range(2, 40):
            assert await number(other, given) == given
        assert await number(one) not in range(40)
        assert await number(one, 60531) == 60531
        assert await number(other, 60532) == 60532
        numbers = [await number(committer) for _ in range(300) for committer in (one, other)]
        with pytest.raises(IdentityTaken) as refusal:
            await number(other, 60531)
        assert (refusal.value.field, str(refusal.value)) == (
            *("number", "Another job has the number 60531."),
        )
        largest = await number(one, settings.COUNT_MAX)
        assert await number(one) < largest
    log = await read_log(database)
    taken = [r.event.number for r in log if isinstance(r.event, Created)]
    assert len(taken) == len(set(taken)) == len(log)
    assert 60533 <= max(numbers) < 70_000


async def test_automatic_numbers_beside_an_import(database: str) -> None:
    """Whoever draws a number while others are given in order, by thousands, must get past them."""
    async with Committer(database) as importing, Committer(database) as live:
        outcomes: list[Committed | BaseException] = []

        async def give() -> None:
            for start in range(1, 6_000, 500):
                given = (importing.commit(write(uuid4(), creation(start + n))) for n in range(500))
                outcomes.extend(await asyncio.gather(*given, return_exceptions=True))

        running = asyncio.create_task(give())
        drawn = []
        while not running.done():
            drawn.append((await live.commit(write(uuid4(), creation()))).jobs[0].number)
        await running
    # The only number that an import cannot have is one that was drawn before it came.
    refused = [one for one in outcomes if not isinstance(one, Committed)]
    assert all(isinstance(one, IdentityTaken) and one.field == "number" for one in refused)
    numbers = {r.event.number for r in await read_log(database) if isinstance(r.event, Created)}
    assert set(drawn) | set(range(1, 6_001)) == numbers
    assert len(refused) == len(set(drawn) & set(range(1, 6_001)))
    assert len(outcomes) == 6_000
    assert drawn


async def test_a_batch_saves_all_or_none_and_names_the_invalid(database: str) -> None:
    old, free = uuid4(), uuid4()
    async with Committer(database) as committer:
        await committer.commit(write(old, creation(5, request_id="r"), events.Started()))
        for nth in range(1, 20):
            said: list[tuple[UUID, Event]] = [(uuid4(), creation()) for _ in range(20)]
            bad = {nth % 20, (nth * 7) % 20}
            for index in bad:
                said[index] = (old, events.Queued())
            with pytest.raises(BatchRefused) as refusal:
                await committer.commit(batch(*said, key=keyed()))
            assert {failure.index for failure in refusal.value.failures} == bad
        # What only the append finds out is named too: each identity that another job has.
        with pytest.raises(BatchRefused) as refusal:
            await committer.commit(
                batch(
                    *((free, creation()), (uuid4(), creation(5)), (uuid4(), creation(6))),
                    (uuid4(), creation(request_id="r")),
                )
            )
        failures = refusal.value.failures
        assert [(f.index, type(f.error)) for f in failures] == [
            (1, IdentityTaken),
            (3, IdentityTaken),
        ]
        assert len(await read_log(database)) == 2
        saved = await committer.commit(batch((free, creation(6)), (old, events.Succeeded())))
        assert [job.id for job in saved.jobs] == [free, old]
    assert len(await read_log(database)) == 4
