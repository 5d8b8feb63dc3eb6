"""Wires as who asks on them meets them: nobody waits behind a slow question while there is room elsewhere, or longer than for a connection of a
pool; what breaks is made anew, and few plans are kept.

Seen red: with the first wire for all, with a wait without an end, with names that are kept of a wire that broke or of what could not be prepared,
with a question that is not asked again, with plans that are never forgotten, and with those that answer with other types by now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import sql

from ledger import settings
from ledger import wires as limits
from ledger.connection import conninfo
from ledger.errors import Busy
from ledger.roles import Role
from ledger.wires import Wires
from tests.writes import DEADLINE_S, until

pytestmark = pytest.mark.anyio
LOCK = b"SELECT pg_advisory_lock_shared(%(lock)s), pg_advisory_unlock_shared(%(lock)s)"
NUMBER = b"SELECT %(number)s::bigint AS n"
MINE = "pid <> pg_backend_pid() AND application_name LIKE 'jobledger%'"


@pytest.fixture
async def wires(database: str) -> AsyncIterator[Wires]:
    async with Wires(conninfo(database, Role.READER), 2) as made:
        yield made


async def test_each_gets_his_own_answer(wires: Wires) -> None:
    numbers = range(-40, 40_000, 1_000)
    asked = (wires.rows(NUMBER, {"number": number}) for number in numbers)
    assert await asyncio.gather(*asked) == [[(number,)] for number in numbers]


async def test_nobody_waits_behind_a_slow_question(wires: Wires, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(1)")
        slow = asyncio.create_task(wires.rows(LOCK, {"lock": 1}))
        async with asyncio.timeout(DEADLINE_S):
            for number in range(9):
                assert await wires.rows(NUMBER, {"number": number}) == [(number,)]
        assert not slow.done()
        other.execute("SELECT pg_advisory_unlock(1)")
        assert len(await slow) == 1


async def test_who_finds_no_room_is_told_so(
    wires: Wires, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "POOL_ACQUIRE_TIMEOUT_S", 0.05)
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(1)")
        room = 2 * limits.QUESTIONS_MAX
        slow = [asyncio.create_task(wires.rows(LOCK, {"lock": 1})) for _ in range(room)]
        await until(wires._room.locked)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(Busy):
                await wires.rows(NUMBER, {"number": 1})
            monkeypatch.setattr(settings, "POOL_WAITING_MAX", 0)
            monkeypatch.setattr(settings, "POOL_ACQUIRE_TIMEOUT_S", 2 * DEADLINE_S)
            with pytest.raises(Busy):
                await wires.rows(NUMBER, {"number": 1})
        other.execute("SELECT pg_advisory_unlock(1)")
        assert len(await asyncio.gather(*slow)) == room
    assert await wires.rows(NUMBER, {"number": 1}) == [(1,)]


async def test_what_was_asked_on_a_wire_that_breaks_is_asked_again(
    wires: Wires, database: str
) -> None:
    assert await wires.rows(NUMBER, {"number": 1}) == [(1,)]
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(1)")
        asked = asyncio.create_task(wires.rows(LOCK, {"lock": 1}))
        waits = sql.SQL("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'")
        await until(lambda: other.execute(waits).fetchone() == (1,))
        other.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {MINE}")
        other.execute("SELECT pg_advisory_unlock(1)")
        assert len(await asked) == 1
        assert await wires.rows(NUMBER, {"number": 1}) == [(1,)]


async def test_a_server_that_says_nothing_is_given_up(
    wires: Wires, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its machine is frozen. Seen red with whoever asked waiting for as long."""
    monkeypatch.setattr(settings, "SILENCE_S", 0.1)
    monkeypatch.setattr(settings, "FOLLOW_POLL_S", 0.05)
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(1)")
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(psycopg.OperationalError, match="said nothing"):
                await wires.rows(LOCK, {"lock": 1})
            assert await wires.rows(NUMBER, {"number": 1}) == [(1,)]


async def test_what_cannot_be_prepared_may_be_later(wires: Wires, database: str) -> None:
    for _ in range(2):
        with pytest.raises(psycopg.errors.UndefinedTable):
            await wires.rows(b"SELECT n FROM public.later", {})
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("CREATE TABLE public.later AS SELECT 7 AS n")
        owner.execute("GRANT SELECT ON public.later TO PUBLIC")
    assert await wires.rows(b"SELECT n FROM public.later", {}) == [(7,)]


async def test_what_answers_with_other_types_is_prepared_anew(wires: Wires, database: str) -> None:
    """As when a read model of another version has taken the place of one: `cached plan must not change result type`."""
    later = b"SELECT n FROM public.later"
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("CREATE TABLE public.later AS SELECT 7 AS n")
        owner.execute("GRANT SELECT ON public.later TO PUBLIC")
        assert await asyncio.gather(*[wires.rows(later, {}) for _ in range(4)]) == [[(7,)]] * 4
        owner.execute("ALTER TABLE public.later ALTER n TYPE text")
    assert await asyncio.gather(*[wires.rows(later, {}) for _ in range(4)]) == [[("7",)]] * 4
    for end in wires._ends:
        assert len(end._names) <= 1


async def test_few_plans_are_kept(wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STATEMENTS_MAX", 3)
    known = b"SELECT statement FROM pg_prepared_statements ORDER BY prepare_time"
    first, second, third = (b"SELECT %d" % number for number in range(3))
    for text in (first, second, third, first, known):
        await wires.rows(text, {})
    kept = {one.encode() for (one,) in await wires.rows(known, {})}
    assert kept == {first, third, known}
    assert await wires.rows(second, {}) == [(1,)]
