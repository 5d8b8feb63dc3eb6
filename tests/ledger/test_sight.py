"""The walls between tenants, in the database itself: every table of many projects is behind row-level security, the log has one way in, and a
reader sees the projects of its statement and nothing else.

Invariants: what is asked here names no project in its WHERE, so that only the wall can keep rows apart. Seen red with: NO FORCE on a table, a
view with its owner's rights, a policy that is true for readers, the setting made for the session. Grants are held by test_roles."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

from ledger import batches
from ledger.batches import NewBatch, Result
from ledger.connection import Role, conninfo
from ledger.sight import rows
from tests.fix_jobs import A, B, Ledger, fold, play

# Tables that hold no rows of projects, each with the reason.
SHARED = {
    "ledger.head": "one row: where the log ends",
    "ledger.migrations": "what was done to the schema",
    "ledger.maintenance": "one row: what the operator switched off",
    "projections.notification_tracking": "how far each read model is",
    "projections.live": "which table a read model's view shows",
    "projections.stopped": "which event a read model could not fold",
}
SHARED |= dict.fromkeys(
    (f"proof.{name}" for name in ("epochs", "leaves", "tiles", "checkpoints", "keys", "anchored", "stopped")),
    "one tree over all events, in which projects are blinded",
)  # fmt: skip
# Walled off from every reader: only a function answers.
UNSEEN = {"access.keys", "access.acts", "access.nonces", "ledger.holds", "ledger.retention"}

# Name, kind, whether row-level security is on and forced, whether there is a column project, whether a view has its caller's rights, and
# the policies that hold for readers.
Table = tuple[str, str, bool, bool, bool, list[str]]
TABLES = """
SELECT format('%s.%s', n.nspname, c.relname), c.relkind::text, c.relrowsecurity AND c.relforcerowsecurity,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'project' AND NOT a.attisdropped),
       coalesce('security_invoker=true' = ANY (c.reloptions), false),
       ARRAY(SELECT p.polname::text FROM pg_policy p
             WHERE p.polrelid = c.oid AND p.polroles && ARRAY[0::oid, 'jobledger_reader'::regrole] ORDER BY 1)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_|^information_schema$' AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1
"""


@pytest.fixture(scope="module")
def ledger(module_database: str) -> Ledger:
    """A log of two projects, its read models, and a batch and a refusal of each."""
    played = asyncio.run(play(module_database, jobs=24))
    fold(played)
    asyncio.run(hand_in(module_database))
    return played


async def hand_in(dsn: str) -> None:
    """A batch of one refused item in each project."""
    async with await AsyncConnection.connect(conninfo(dsn, Role.APP)) as connection:
        for nth, project in enumerate((A, B)):
            refusal = [
                project,
                "2026-01-01T00:00:00Z",
                "anna",
                "k",
                "r",
                "createJobs",
                None,
                "c",
                "No.",
            ]
            await connection.execute(
                "SELECT ledger.refused(%s::jsonb, 9)", (json.dumps([refusal]),)
            )
            new = NewBatch(UUID(int=nth), project, "fullstory", "anna", items="[1]", count=1)
            await batches.take(connection, new)
            [batch] = [
                one for one in await batches.next_of_each(connection) if one.job_id == new.job_id
            ]
            refused = Result(0, code="invalid", message="No.")
            await batches.record(connection, batch, [refused], finished=True)


@pytest.fixture
async def reader(ledger: Ledger) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(
        conninfo(ledger.dsn, Role.READER), autocommit=True
    ) as connection:
        yield connection


@pytest.fixture
def tables(ledger: Ledger) -> list[Table]:
    with psycopg.connect(ledger.dsn) as connection:
        return connection.execute(TABLES).fetchall()


def test_every_table_of_many_projects_is_behind_the_wall(
    tables: list[Table],
) -> None:
    """A new table is either walled or stands in SHARED with a reason."""
    assert SHARED.keys() <= {name for name, *_ in tables}
    for name, kind, forced, has_project, invoker, policies in tables:
        if kind == "v":
            assert invoker or not has_project, f"{name} shows its owner's sight"
        elif kind == "m":
            pytest.fail(f"{name}: row-level security does not reach a materialized view")
        elif name in SHARED:
            assert not has_project, f"{name} has a column project"
        elif name in UNSEEN:
            assert forced, name
            assert policies == []
        else:
            assert forced, f"{name} lacks FORCE ROW LEVEL SECURITY, or a line in SHARED"
            assert policies == ["sight"], f"{name} has another policy for readers"


def test_no_function_that_runs_as_another_is_open_to_all(ledger: Ledger) -> None:
    with psycopg.connect(ledger.dsn) as connection:
        found = connection.execute(
            "SELECT p.oid::regprocedure::text, pg_get_userbyid(p.proowner), p.proacl::text,"
            " array_to_string(p.proconfig, ' ') FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE p.prosecdef AND n.nspname IN ('ledger', 'access', 'projections')"
        ).fetchall()
    assert {name for name, *_ in found} >= {"ledger.append(jsonb)", "access.key(text)"}
    for name, owner, granted, configuration in found:
        assert owner in ("jobledger_log", "jobledger_keeper"), name
        assert granted is not None, name
        assert "{=X" not in granted, f"{name} may be called by anybody"
        assert ",=X" not in granted, f"{name} may be called by anybody"
        assert "search_path=pg_catalog, pg_temp" in configuration, name


def seen(dsn: str) -> list[str]:
    """What has a column project and a reader may ask."""
    with psycopg.connect(dsn) as connection:
        return [
            name
            for name, _, _, has_project, _, _ in connection.execute(TABLES).fetchall()
            if has_project and name not in UNSEEN
        ]


@pytest.mark.anyio
async def test_a_reader_sees_the_projects_of_its_statement(
    ledger: Ledger, reader: AsyncConnection[Any]
) -> None:
    names = seen(ledger.dsn)
    assert {"ledger.stored_events", "ledger.events", "projections.jobs"} <= set(names)
    for name in names:
        question = f"SELECT DISTINCT project FROM {name} ORDER BY 1".encode()
        assert await rows(reader, (A,), question) == [(A,)] or "idempotency" in name, name
        assert await rows(reader, (B,), question) == [(B,)] or "idempotency" in name, name
        both = await rows(reader, (A, B), question)
        assert both == [(A,), (B,)] or "idempotency" in name
        for blind in ((), ("",), ("A",), (f"{A},{B}",), (f'{A}","{B}',), ("{a,b}",), None):
            assert await rows(reader, blind, question) == [], (name, blind)


@pytest.mark.anyio
async def test_the_sight_ends_with_its_statement(reader: AsyncConnection[Any]) -> None:
    question = b"SELECT count(*) FROM projections.jobs"
    [(count,)] = await rows(reader, (A,), question)
    assert count > 0
    assert await rows(reader, None, question) == [(0,)]
    with contextlib.suppress(psycopg.errors.DivisionByZero):
        await rows(reader, (A,), b"SELECT count(*) / 0 FROM projections.jobs")
    assert await rows(reader, None, question) == [(0,)]
    assert await rows(reader, (A,), question) == [(count,)]


@pytest.mark.anyio
async def test_a_statement_that_is_given_up_leaves_no_sight(reader: AsyncConnection[Any]) -> None:
    slow = b"SELECT count(*), pg_sleep(30) FROM projections.jobs"
    asking = asyncio.create_task(rows(reader, (A,), slow))
    for _ in range(20):
        await asyncio.sleep(0)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError, psycopg.Error):
        await asking
    if not reader.closed:  # a connection that cannot be used again would do as well
        assert await rows(reader, None, b"SELECT count(*) FROM projections.jobs") == [(0,)]


@pytest.mark.anyio
@pytest.mark.parametrize("project", ["a b", 'a"b', "a\\b", "a,b", "{}", "NULL", "", "ü😀", "'"])
async def test_any_name_of_a_project_can_be_seen(
    reader: AsyncConnection[Any], project: str
) -> None:
    question = b"SELECT ledger.sight()"
    assert await rows(reader, (project, "other"), question) == [([project, "other"],)]


@pytest.mark.anyio
async def test_the_setting_costs_no_round_trip(
    reader: AsyncConnection[Any], tmp_path: Path
) -> None:
    async def round_trips(sight: tuple[str, ...] | None) -> int:
        """How often the client waits: libpq's own record of messages, F to the server and B back."""
        with (tmp_path / "messages").open("w+") as file:
            reader.pgconn.trace(file.fileno())
            await rows(reader, sight, b"SELECT 1", prepare=True)
            reader.pgconn.untrace()
            file.seek(0)
            directions = [line.split("\t")[1] for line in file if "\t" in line]
        return sum(pair == ("F", "B") for pair in pairwise(directions))

    await rows(reader, (A,), b"SELECT 1", prepare=True)  # prepares
    assert await round_trips(None) == 1
    assert await round_trips((A,)) == 1
    assert await round_trips((A, B)) == 1


@pytest.mark.anyio
async def test_the_sight_is_taken_once_a_statement(
    ledger: Ledger, reader: AsyncConnection[Any]
) -> None:
    """The policy's subquery is an InitPlan, and the index is still walked."""
    text = b"EXPLAIN SELECT * FROM projections.jobs WHERE project = 'a' AND number = 7"
    await reader.execute("SET enable_seqscan = off")
    plan = "\n".join(line for (line,) in await rows(reader, (A,), text))
    assert "InitPlan 1" in plan
    assert "Index Scan" in plan
    assert "SubPlan" not in plan
    await reader.execute("RESET enable_seqscan")


@pytest.mark.anyio
async def test_a_long_statement_is_answered_as_a_short_one_is(ledger: Ledger) -> None:
    """psycopg reads it anew each time, so that its parameters are numbered here."""
    short = b"SELECT %(word)s::text || '%%' || %(word)s::text, %(none)s::bigint, %(project)s::text"
    values = {"project": A, "word": "%(none)s $1", "none": None, "unused": 1}
    async with await AsyncConnection.connect(
        conninfo(ledger.dsn, Role.READER), autocommit=True
    ) as connection:
        for more in ({}, {"binary": True}, {"prepare": True, "walk": True}):
            asked = [
                await rows(connection, (A,), text, values, **more)
                for text in (short, short + b" " * 5_000)
            ]
            assert asked[0] == asked[1] == [("%(none)s $1%%(none)s $1", None, A)]
