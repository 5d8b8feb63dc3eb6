"""Maintenance: what is refused when, how soon a process knows of it, and how an operator says so."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool
from typer.testing import CliRunner

from api import maintenance
from api.cli import main
from api.dialects import DIALECTS
from api.dialects.dialect import Dialect
from api.faults import Maintenance
from api.maintenance import Refused, State, Switch
from api.operation import Asked, Scope
from ledger import settings
from ledger.connection import Role, conninfo
from ledger.errors import Busy
from ledger.settings import (
    MAINTENANCE_CACHE_S,
    MAINTENANCE_RETRY_AFTER_S,
    MAINTENANCE_STALE_S_MAX,
)
from tests.fix_auth import Clock
from tests.writes import until

READS = {Scope.JOBS_READ, Scope.AUDIT_READ}


@pytest.mark.parametrize("scope", Scope)
def test_what_is_refused(scope: Scope) -> None:
    assert not State("nothing").refuses(scope)
    assert State("writes").refuses(scope) == (scope not in {*READS, Scope.PUBLIC})
    assert State("all").refuses(scope) == (scope is not Scope.PUBLIC)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_every_dialect_has_words_for_it(dialect: Dialect) -> None:
    error = Maintenance("The ledger is switched off for maintenance.", retry_after_s=90)
    said = dialect.fault(Asked("GET", dialect.prefixes[0]), error)
    assert said.status == 503
    assert dict(said.headers)["Retry-After"] == "90"


@dataclass
class Room:
    """A switch over a real database, with a clock that moves when told to."""

    dsn: str
    pool: AsyncConnectionPool[Any]
    clock: Clock
    switch: Switch

    def turn(self, refused: Refused, retry_after_s: int = 60) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            maintenance.switch(connection, refused, retry_after_s)

    async def open(self, scope: Scope = Scope.JOBS_READ) -> bool:
        try:
            await self.switch.check(scope)
        except Maintenance:
            return False
        return True

    async def looked(self) -> None:
        """Wait for the look at the database that is under way."""
        assert self.switch._reading is not None
        await self.switch._reading

    def questions(self) -> int:
        return int(self.pool.get_stats().get("requests_num", 0))


@asynccontextmanager
async def room(database: str) -> AsyncIterator[Room]:
    clock = Clock()
    async with AsyncConnectionPool(
        conninfo(database, Role.APP), min_size=1, max_size=1, open=False, timeout=30
    ) as pool:
        yield Room(database, pool, clock, Switch(pool, clock=clock))


@pytest.mark.anyio
async def test_it_is_off_until_somebody_switches_it_on(database: str) -> None:
    async with room(database) as there:
        assert all([await there.open(scope) for scope in Scope])


@pytest.mark.anyio
async def test_the_first_request_knows_and_is_told_when_to_come_back(database: str) -> None:
    async with room(database) as there:
        there.turn("writes", 90)
        with pytest.raises(Maintenance, match="Writes") as refused:
            await there.switch.check(Scope.JOBS_WRITE)
        assert refused.value.retry_after_s == 90
        assert await there.open(Scope.JOBS_READ)
        assert await there.open(Scope.PUBLIC)


@pytest.mark.anyio
async def test_it_is_known_within_the_time_promised(database: str) -> None:
    async with room(database) as there:
        assert await there.open()
        asked = there.questions()
        there.turn("all")
        there.clock.now_s += MAINTENANCE_CACHE_S * 0.99
        assert await there.open(), "one look a second is enough"
        assert there.switch._reading is None
        assert there.questions() == asked
        there.clock.now_s += MAINTENANCE_CACHE_S * 0.02
        assert await there.open(), "nobody waits for the look that begins now"
        await there.looked()
        assert not await there.open()
        assert there.questions() == asked + 1


@pytest.mark.anyio
async def test_after_a_silence_what_was_known_does_not_count(database: str) -> None:
    async with room(database) as there:
        assert await there.open()
        there.turn("all")
        there.clock.now_s += MAINTENANCE_STALE_S_MAX
        assert not await there.open()


@pytest.mark.anyio
async def test_while_the_database_is_away_what_was_known_holds(database: str) -> None:
    async with room(database) as there:
        there.turn("writes")
        assert not await there.open(Scope.JOBS_WRITE)
        await there.pool.close()
        there.clock.now_s += MAINTENANCE_STALE_S_MAX
        assert not await there.open(Scope.JOBS_WRITE)
        assert await there.open(Scope.JOBS_READ)


@pytest.mark.anyio
async def test_while_the_database_says_nothing_nobody_is_let_in_or_waits_long(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red with what was known before let in, after ten seconds."""
    monkeypatch.setattr(settings, "POOL_ACQUIRE_TIMEOUT_S", 0.1)
    async with room(database) as there:
        assert await there.open()
        there.clock.now_s += MAINTENANCE_STALE_S_MAX
        with psycopg.connect(database) as other:
            other.execute("LOCK TABLE ledger.maintenance")
            with pytest.raises(Busy):
                await there.switch.check(Scope.JOBS_WRITE)
        await there.looked()
        assert await there.open()


@pytest.mark.anyio
async def test_a_look_that_fails_while_nobody_waits_for_it_is_no_crash(database: str) -> None:
    """Seen red with an exception that asyncio found never retrieved."""
    crashes: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: crashes.append(told))
    async with room(database) as there:
        assert await there.open()
        with psycopg.connect(database, autocommit=True) as other:
            other.execute("ALTER TABLE ledger.maintenance RENAME TO elsewhere")
        there.clock.now_s += MAINTENANCE_CACHE_S
        assert await there.open()
        await until(lambda: there.switch._reading is None)
        gc.collect()
    assert not crashes


RUNNER = CliRunner()


def answered(database: str, *words: str) -> dict[str, Any]:
    done = RUNNER.invoke(main, ["maintenance", *words, "--database-url", database, "--json"])
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_operator_switches_it_on_and_off(database: str) -> None:
    assert answered(database, "show")["refused"] == "nothing"
    on = answered(database, "on")
    assert (on["refused"], on["retry_after_s"]) == ("writes", MAINTENANCE_RETRY_AFTER_S)
    assert answered(database, "on", "--reads", "--retry-after", "90") == {
        **on,
        "retry_after_s": 90,
    }
    everything = answered(database, "on", "--all")
    assert everything["refused"] == "all"
    assert everything["since"] > on["since"]
    assert answered(database, "show") == everything
    assert answered(database, "off")["refused"] == "nothing"
    said = RUNNER.invoke(main, ["maintenance", "show", "--database-url", database])
    assert said.stdout == "Maintenance is off: everything is answered.\n"


def test_a_wrong_command_line_changes_nothing(database: str) -> None:
    for words in (["on", "--retry-after", "0"], ["on", "--retry-after", "86401"], ["sideways"]):
        done = RUNNER.invoke(main, ["maintenance", *words, "--database-url", database])
        assert done.exit_code == 2
    with psycopg.connect(database) as connection:
        assert maintenance.state(connection).refused == "nothing"


def test_the_api_s_own_role_cannot_switch_it(database: str) -> None:
    with (
        psycopg.connect(conninfo(database, Role.APP)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        maintenance.switch(connection, "all", 60)
