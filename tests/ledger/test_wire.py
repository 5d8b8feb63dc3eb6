"""The wire as its callers meet it: how soon a lonely write sets out, and what is known of a connection that nobody uses.

Seen red: with the commit's own task to be woken before anything is sent, with a socket that is listened to during commits alone, with rows that
are taken for the answer whatever comes behind them, and with an answer that is only taken when the loop tells of it."""

from __future__ import annotations

import asyncio
import os
import socket
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import UniqueViolation
from psycopg.pq.abc import PGresult

from ledger import events, settings
from ledger.committer import Committer
from ledger.wire import Wire
from tests.writes import creation, read_log, until, write

pytestmark = pytest.mark.anyio
LEAVE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Turns:
    """Counts the turns of the loop until it is stopped."""

    def __init__(self) -> None:
        self.count = 0
        self.stopped = False
        self._next()

    def _next(self) -> None:
        self.count += 1
        if not self.stopped:
            asyncio.get_running_loop().call_soon(self._next)


async def test_a_lonely_write_is_sent_in_the_turn_that_decides_it(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, sent = uuid4(), []
    async with Committer(database) as committer:
        await committer.commit(write(job, creation()))
        await until(lambda: committer._idle)  # what is decided may set out at once
        turns, send = Turns(), Wire.send

        def told(self: Wire, *values: bytes) -> asyncio.Future[PGresult]:
            sent.append(turns.count)
            return send(self, *values)

        monkeypatch.setattr(Wire, "send", told)
        began = turns.count
        await committer.commit(write(job, events.Queued()))
        turns.stopped = True
    assert [at - began for at in sent] == [1]


async def test_a_server_that_leaves_is_noticed_before_the_next_write(database: str) -> None:
    job = uuid4()
    async with Committer(database) as committer:
        await committer.commit(write(job, creation()))
        wire = committer._writer._wire
        assert wire is not None
        with psycopg.connect(database, autocommit=True) as other:
            other.execute(LEAVE)
        await until(lambda: wire.broken)
        saved = await committer.commit(write(job, events.Queued()))
        assert saved.position == 2
    assert [one.topic for one in await read_log(database)] == ["job.created", "job.queued"]


async def test_a_commit_that_fails_when_its_statement_has_answered_has_failed(
    database: str,
) -> None:
    connection = await psycopg.AsyncConnection.connect(database, autocommit=True)
    await connection.execute("CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    wire = await Wire.over(connection, b"(int) AS INSERT INTO late VALUES ($1), ($1) RETURNING n")
    with pytest.raises(UniqueViolation):
        await wire.send(b"7")
    await wire.close()
    with psycopg.connect(database) as other:
        assert other.execute("SELECT count(*) FROM late").fetchone() == (0,)


async def test_what_is_sent_behind_another_is_a_transaction_of_its_own(database: str) -> None:
    connection = await psycopg.AsyncConnection.connect(database, autocommit=True)
    await connection.execute("CREATE TABLE one (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    wire = await Wire.over(
        connection,
        b"(int, int) AS INSERT INTO one VALUES ($1), ($2) RETURNING n",
    )
    # The first and the last name one number twice, which is found out when they commit.
    answers = [wire.send(*pair) for pair in ((b"2", b"2"), (b"3", b"4"), (b"5", b"5"))]
    first, between, last = await asyncio.gather(*answers, return_exceptions=True)
    await wire.close()
    assert [type(first), type(last)] == [UniqueViolation] * 2
    assert not isinstance(between, BaseException), between
    with psycopg.connect(database) as other:
        assert other.execute("SELECT n FROM one ORDER BY n").fetchall() == [(3,), (4,)]


async def test_an_answer_that_the_loop_tells_nothing_of_is_found(database: str) -> None:
    connection = await psycopg.AsyncConnection.connect(database, autocommit=True)
    wire = await Wire.over(connection, b"(float8) AS SELECT pg_sleep($1)")
    answer = wire.send(b"0.1")
    asyncio.get_running_loop().remove_reader(wire._socket)
    assert (await asyncio.wait_for(answer, 30)).ntuples == 1
    await wire.close()


async def test_an_answer_that_is_none_ends_the_wire_at_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red where libpq's hanging up by itself is found out by looking again: the answer came with the next look."""
    monkeypatch.setattr(settings, "FOLLOW_POLL_S", 3_600.0)
    connection = await psycopg.AsyncConnection.connect(database, autocommit=True)
    here, there = socket.socketpair()
    os.dup2(here.fileno(), connection.fileno())
    here.close()
    wire = Wire(connection)
    answer = wire.send()
    there.sendall(b"?" + (1 << 20).to_bytes(4))  # no message of PostgreSQL's is named so
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(answer, 5)
    assert wire.broken
    there.close()
