"""Sockets that libpq closes while a loop watches them, as when a server is gone: whoever watches lets go in the same turn.

uvloop, which `serve` runs on, ends the process when it is to begin to watch what is closed, and says nothing of it, so each case has a process of
its own. Seen red, as a process that ended with SIGABRT: with an ear that lets go in the next turn, with a batch's waiter that leaves psycopg's
watching as it is, with a wire that does not let go when it cannot send."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import psycopg
import pytest
import uvloop
from psycopg import AsyncConnection

from ledger import bulk
from ledger.ear import hear
from ledger.wire import Wire
from tests.fix_command import DEADLINE_S

Connection = AsyncConnection[tuple[Any, ...]]
LARGE = "x" * 8_000_000


def leave(connection: Connection) -> None:
    """The other end says no more and reads no more, before anybody here has looked. (One that is closed libpq finds out by reading alone.)"""
    here, there = socket.socketpair()
    here.setblocking(False)
    there.shutdown(socket.SHUT_WR)
    there.detach()
    os.dup2(here.fileno(), connection.fileno())
    here.close()


async def an_ear(connection: Connection) -> None:
    leave(connection)
    await hear(connection, lambda words: None)


async def who_waits_for_a_batch_to_go_out(connection: Connection) -> None:
    asked = asyncio.create_task(connection.execute("SELECT length(%s)", (LARGE,)))
    for _ in range(2):  # psycopg sends, and then waits for the rest to go out
        await asyncio.sleep(0)
    assert connection.pgconn.flush() == 1
    leave(connection)
    await bulk.sent(connection)
    with pytest.raises(psycopg.OperationalError):
        await asked


async def a_wire(connection: Connection) -> None:
    wire = Wire(connection)
    leave(connection)
    with pytest.raises(psycopg.OperationalError):
        wire.send(LARGE.encode())
    await asyncio.sleep(0)
    assert wire.broken


Case = Callable[[Connection], Awaitable[None]]
CASES: Mapping[str, Case] = {
    case.__name__: case for case in (an_ear, who_waits_for_a_batch_to_go_out, a_wire)
}


async def _play(case: str, dsn: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        connection = await AsyncConnection.connect(dsn, autocommit=True)
        await CASES[case](connection)
        await asyncio.sleep(0)


def play(case: str, dsn: str) -> None:
    """One case on the loop that `serve` runs on."""
    uvloop.run(_play(case, dsn))


@pytest.mark.parametrize("case", CASES)
def test_one_that_is_closed_ends_no_process(case: str, database: str) -> None:
    processes = multiprocessing.get_context("spawn")
    process = processes.Process(target=play, args=(case, database), daemon=True)
    process.start()
    process.join(2 * DEADLINE_S)
    assert process.exitcode == 0
