"""Two commits under way, one behind the other on one line: each with its own outcome, whatever becomes of the other.

Seen red: with nothing sent before the commit under way has landed, with a part of any size sent behind it, with a third sent behind two, and with a
line that broke taken for whole because another stood in its place, by which writes that were saved were called refused."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from ledger import events, settings
from ledger.commands import Write
from ledger.committer import Committed, Committer
from ledger.errors import IllegalTransition, Invalid, Unreachable
from ledger.pace import Pace
from ledger.wire import Wire
from ledger.writer import Writer
from tests.histories import ANN
from tests.proxy import Cut, Proxy
from tests.writes import appends_wait, creation, held, keyed, read_log, until, write

pytestmark = pytest.mark.anyio
PART = 8
MARKED = ANN._replace(note="the marked write")
JOB = UUID(int=77)


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many writes as make a part, whatever this machine's pace."""
    monkeypatch.setattr(Pace, "together", PART)
    monkeypatch.setattr(Pace, "behind", lambda self, writes: writes >= PART)


def asked(committer: Committer, *writes: Write) -> list[asyncio.Task[Committed]]:
    return [asyncio.create_task(committer.commit(one)) for one in writes]


def under_way(committer: Committer) -> list[int]:
    return [len(flight.planned) for flight in committer._flights]


async def test_enough_for_a_part_sets_out_behind_a_commit_under_way(database: str) -> None:
    commits: list[int] = []
    async with Committer(database, on_commit=commits.append) as committer:
        async with held(database) as holder:
            tasks = asked(committer, write(uuid4(), creation()))
            await appends_wait(holder)
            tasks += asked(committer, *(write(uuid4(), creation()) for _ in range(PART - 1)))
            await until(lambda: len(committer._decided) == PART - 1)
            assert under_way(committer) == [1]
            tasks += asked(committer, write(uuid4(), creation()))
            await until(lambda: under_way(committer) == [1, PART])
            # No third behind the two, however many there are.
            tasks += asked(committer, *(write(uuid4(), creation()) for _ in range(2 * PART)))
            await until(lambda: len(committer._decided) == 2 * PART)
            assert under_way(committer) == [1, PART]
        saved = await asyncio.gather(*tasks)
    assert commits[:2] == [1, 1 + PART]
    assert [one.position for one in saved] == list(range(1, 2 + 3 * PART))


async def test_writes_behind_a_commit_whose_line_breaks_have_one_effect(
    database: str, cut: Cut
) -> None:
    async with Proxy(database) as proxy, Committer(proxy.dsn) as committer:
        await committer.commit(write(JOB, creation(), events.Started()))
        async with held(database) as holder:
            tasks = asked(committer, write(JOB, events.Noted()))
            await appends_wait(holder)
            proxy.cut(cut, MARKED.note or "")
            behind = [write(uuid4(), creation(), envelope=MARKED) for _ in range(PART)]
            tasks += asked(committer, *behind)
            await until(lambda: under_way(committer) == [1, PART])
        saved = await asyncio.gather(*tasks)
        assert proxy.cuts == 1
        after = await committer.commit(write(JOB, events.Succeeded()))
    log = await read_log(database)
    assert log[2:] == [*(r for one in saved for r in one.recorded), *after.recorded]
    assert [r.position for r in log] == list(range(1, 3 + 1 + PART + 1))


async def test_a_database_that_stays_away_is_looked_for_once_by_all_under_way(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red: with each commit looking for as long as the one before it had, so that the callers of the second waited twice."""
    monkeypatch.setattr(settings, "RECONNECT_S", 0.2)
    looks: list[bool] = []
    wired = Writer._wired

    async with (
        Proxy(database) as proxy,
        Committer(proxy.dsn) as committer,
        held(database) as holder,
    ):
        (first,) = asked(committer, write(uuid4(), creation()))
        await appends_wait(holder)
        proxy.cut(Cut.BEFORE, MARKED.note or "", stay_closed=True)
        behind = [write(uuid4(), creation(), envelope=MARKED) for _ in range(PART)]
        tasks = asked(committer, *behind)

        async def looked(self: Writer) -> Wire:
            looks.append(first.done())
            return await wired(self)

        monkeypatch.setattr(Writer, "_wired", looked)
        told = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert [type(one) for one in told] == [Unreachable] * (1 + PART)
    assert looks.count(False) > 1
    assert looks.count(True) <= 1


async def test_a_commit_that_cannot_be_stored_harms_none_behind_it(database: str) -> None:
    """What PostgreSQL cannot store fails the whole commit, whose writes are then sent one by one, behind what is under way by then."""
    unstorable = write(uuid4(), creation(), key=keyed("".join(map(chr, range(0x4E00, 0x9E00)))))
    async with Committer(database) as committer:
        await committer.commit(write(JOB, creation()))
        async with held(database) as holder:
            tasks = asked(committer, unstorable, write(JOB, events.Started()))
            await appends_wait(holder)
            tasks += asked(committer, *(write(uuid4(), creation()) for _ in range(PART)))
            await until(lambda: under_way(committer) == [2, PART])
        told = await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(IllegalTransition):
            await committer.commit(write(JOB, events.Queued()))
    assert [type(one) for one in told] == [Invalid, *[Committed] * (PART + 1)]
    assert len(await read_log(database)) == 2 + PART
