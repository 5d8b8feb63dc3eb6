"""Names: a job is found by whatever it is called, at once, and only in its own project."""

from __future__ import annotations

from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from ledger import store
from ledger.commands import Command, Write
from ledger.committer import Committer
from ledger.connection import Role, conninfo
from ledger.events import Created, Envelope, Queued
from ledger.names import Name, by_id, by_number, by_source_id, named

pytestmark = pytest.mark.anyio


async def test_each_kind_of_name_finds_the_job_as_it_stands(database: str) -> None:
    first, second, theirs = uuid4(), uuid4(), uuid4()
    async with (
        Committer(database) as committer,
        await AsyncConnection.connect(conninfo(database, Role.APP), autocommit=True) as connection,
    ):
        jobs = {}
        for job_id, project, source_id in (
            (first, "a", "s"),
            (second, "a", "t"),
            (theirs, "b", "s"),
        ):
            event = Created(type="T", owner="o", source_id=source_id, request_id=f"r-{source_id}")
            envelope = Envelope(project=project, actor="tests")
            commands = (Command(job_id, event, envelope), Command(job_id, Queued(), envelope))
            [jobs[job_id]] = (await committer.commit(Write(commands))).jobs
        expected = jobs[first]
        names = (
            by_id(first),
            by_number(expected.number),
            by_source_id("s"),
            Name("request_id", "r-s"),
        )
        assert await named(connection, "a", names) == dict.fromkeys(names, expected)
        assert set(await named(connection, "a", (*names, by_source_id("t")))) == {
            *names,
            by_source_id("t"),
        }
        found = await named(connection, "b", names)
        assert {name: job.id for name, job in found.items()} == {
            by_source_id("s"): theirs,
            Name("request_id", "r-s"): theirs,
        }
        nobody_s = (
            by_id(uuid4()),
            by_number(10**15),
            by_source_id("a\x00b"),
            by_source_id("\ud800"),
            by_source_id(""),
        )
        assert await named(connection, "a", nobody_s) == {}
        assert await named(connection, "a", ()) == {}
        assert await store.head(connection) == 6
