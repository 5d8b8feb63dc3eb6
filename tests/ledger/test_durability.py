"""Settings that would lose what was acknowledged: each is refused where it is found, at any time."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ledger import durability
from ledger.committer import Committer
from ledger.errors import Misconfigured
from tests.fix_command import Command
from tests.writes import creation, read_log, write

pytestmark = pytest.mark.anyio


def relax(owner: psycopg.Connection, database: str) -> None:
    """What somebody in a hurry does to a database."""
    name = sql.Identifier(str(conninfo_to_dict(database)["dbname"]))
    owner.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))


@pytest.mark.parametrize("name", durability.NAMES)
def test_each_is_refused(name: str) -> None:
    found = tuple("off" if one == name else "on" for one in durability.NAMES)
    with pytest.raises(Misconfigured, match=name):
        durability.refuse_unsafe(found)
    durability.refuse_unsafe(("on", "on", "remote_apply"))


async def test_nothing_is_appended_once_it_is_so(
    database: str, postgres_admin: psycopg.Connection
) -> None:
    async with Committer(database) as committer:
        await committer.commit(write(uuid4(), creation()))
        relax(postgres_admin, database)
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jobledger jobledger_app'"
        postgres_admin.execute(ended)
        with pytest.raises(Misconfigured, match="synchronous_commit=off"):
            await committer.commit(write(uuid4(), creation()))
    assert len(await read_log(database)) == 1


async def test_a_committer_does_not_start(
    database: str, postgres_admin: psycopg.Connection
) -> None:
    relax(postgres_admin, database)
    with pytest.raises(Misconfigured, match="synchronous_commit=off"):
        async with Committer(database):
            pass


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_serve_refuses(command: Command, name: str) -> None:
    with (command.data / "postgres" / "postgresql.auto.conf").open("a") as file:
        file.write(f"{name} = off\n")
    done = command("serve", "--port", "0")
    assert done.returncode == 1
    assert f"{name}=off" in done.stderr
    assert not done.stdout
