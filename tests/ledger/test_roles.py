"""The database roles: what each may do and no more, who may log in as what, and that a plain owner of somebody else's server is enough.

Invariants: none is a superuser's equal. Seen red with: INSERT granted to the committer, ledger.append open to all, RLS without FORCE."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from ledger import migrate, roles
from ledger.connection import LOGINS, Role, conninfo
from tests.fix_jobs import A, Ledger, fold, play


@pytest.fixture(scope="module")
def ledger(module_database: str) -> Ledger:
    """A log of two projects, and its read models."""
    played = asyncio.run(play(module_database, jobs=24))
    fold(played)
    return played


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("way", ["SET ROLE NONE", "RESET ROLE", "RESET ALL", "DISCARD ALL"])
def test_a_session_is_nothing_but_its_role(ledger: Ledger, role: Role, way: str) -> None:
    assert LOGINS in str(psycopg.conninfo.conninfo_to_dict(ledger.dsn)["options"])
    with psycopg.connect(conninfo(ledger.dsn, role), autocommit=True) as connection:
        connection.execute(way.encode())
        row = connection.execute("SELECT session_user::text, current_user::text").fetchone()
        assert row == (role.value, role.value)
        for other in ({*Role} - {role}) | {"jobledger_log", "jobledger"}:
            with pytest.raises(InsufficientPrivilege):
                connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(str(other))))


TAMPERING = (
    "INSERT INTO {} SELECT * FROM {} LIMIT 0",
    "UPDATE {} SET project = project",
    "DELETE FROM {}",
    "TRUNCATE {}",
)


@pytest.mark.parametrize("role", [*Role, None], ids=str)
@pytest.mark.parametrize("table", ["stored_events", "identities", "idempotency_keys"])
@pytest.mark.parametrize("statement", TAMPERING)
def test_ledger_append_is_the_only_way_in(
    ledger: Ledger, role: Role | None, table: str, statement: str
) -> None:
    """Our roles lack the right; a superuser (None) meets the trigger."""
    name = sql.Identifier("ledger", table)
    dsn = ledger.dsn if role is None else conninfo(ledger.dsn, role)
    with psycopg.connect(dsn, autocommit=True) as connection:
        with pytest.raises(InsufficientPrivilege) as refusal:
            connection.execute(sql.SQL(statement).format(name, name))
        assert ("append-only" in str(refusal.value)) == (role is None)


@pytest.mark.parametrize("role", sorted({*Role} - {Role.APP}))
def test_only_the_committer_may_append(ledger: Ledger, role: Role) -> None:
    with (
        psycopg.connect(conninfo(ledger.dsn, role), autocommit=True) as connection,
        pytest.raises(InsufficientPrivilege),
    ):
        connection.execute("SELECT ledger.append('{}')")


@pytest.mark.parametrize(
    ("chosen", "statement"),
    [
        (Role.KEEPER, "SELECT * FROM access.keys"),
        (Role.PROJECTOR, "SET wal_compression = off"),  # writes pages as they are
    ],
)
@pytest.mark.parametrize("role", Role)
def test_one_role_alone_may(ledger: Ledger, role: Role, chosen: Role, statement: str) -> None:
    with psycopg.connect(conninfo(ledger.dsn, role), autocommit=True) as connection:
        if role is chosen:
            connection.execute(statement.encode())
            return
        with pytest.raises(InsufficientPrivilege):
            connection.execute(statement.encode())


@pytest.fixture
def plain_owner(ledger: Ledger, postgres_admin: psycopg.Connection) -> Iterator[str]:
    """The owner of a ledger of his own who is no superuser: what a server of somebody else's gives one."""
    name = f"owner_{secrets.token_hex(4)}"
    postgres_admin.execute(f"CREATE ROLE {name} LOGIN CREATEROLE".encode())
    for role in [*(one.value for one in Role), "jobledger_log"]:
        postgres_admin.execute(f"GRANT {role} TO {name} WITH ADMIN OPTION".encode())
    postgres_admin.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
    given = psycopg.conninfo.conninfo_to_dict(ledger.dsn) | {"options": "", "user": name}
    try:
        yield psycopg.conninfo.make_conninfo("", **given | {"dbname": name})
    finally:
        postgres_admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        postgres_admin.execute(f"DROP OWNED BY {name}".encode())
        postgres_admin.execute(f"DROP ROLE {name}".encode())


def test_one_login_that_is_no_superuser_is_enough(plain_owner: str) -> None:
    """It makes the ledger, and every session starts in the role it needs."""
    migrate.migrate(plain_owner)
    played = asyncio.run(play(plain_owner, jobs=8))
    fold(played)
    with psycopg.connect(conninfo(plain_owner, Role.READER), autocommit=True) as reading:
        assert reading.execute("SELECT count(*) FROM ledger.stored_events").fetchone() == (0,)
        reading.execute("SELECT set_config('ledger.projects', '{a}', false)")
        found = reading.execute("SELECT DISTINCT project FROM ledger.events").fetchall()
        assert found == [(A,)]


def test_the_owner_himself_is_held_to_the_policies(
    plain_owner: str, postgres_admin: psycopg.Connection
) -> None:
    """FORCE: without it he would see everything, whatever role a program forgot to take."""
    migrate.migrate(plain_owner)
    asyncio.run(play(plain_owner, jobs=4))
    if postgres_admin.info.server_version < 160_000:
        pytest.skip("PostgreSQL 15 cannot grant a role without its rights")
    owner = str(psycopg.conninfo.conninfo_to_dict(plain_owner)["user"])
    for role in [*(one.value for one in Role), "jobledger_log"]:
        postgres_admin.execute(f"GRANT {role} TO {owner} WITH INHERIT FALSE".encode())
    with psycopg.connect(plain_owner, autocommit=True) as connection:
        for table in ("stored_events", "identities"):
            question = sql.SQL("SELECT count(*) FROM ledger.{}").format(sql.Identifier(table))
            assert connection.execute(question).fetchone() == (0,), table


def test_a_login_that_owns_nothing_is_enough_to_serve(
    ledger: Ledger, postgres_admin: psycopg.Connection
) -> None:
    """What an operator makes beside the owner: `migrate` leaves it alone, and it can commit, fold and read."""
    name = f"serving_{secrets.token_hex(4)}"
    postgres_admin.execute(f"CREATE ROLE {name} LOGIN".encode())
    for role in (Role.READER, Role.APP, Role.PROJECTOR):
        postgres_admin.execute(f"GRANT {role.value} TO {name}".encode())
    given = psycopg.conninfo.conninfo_to_dict(ledger.dsn) | {"options": "", "user": name}
    dsn = psycopg.conninfo.make_conninfo("", **given)
    assert migrate.migrate(dsn) == ()
    played = asyncio.run(play(dsn, jobs=2))
    assert len(played.log) > len(ledger.log)
    for role in (Role.READER, Role.APP, Role.PROJECTOR):
        with psycopg.connect(conninfo(dsn, role), autocommit=True) as connection:
            connection.execute("SET ROLE NONE")
            for mine in ("jobledger", "jobledger_log", Role.KEEPER.value):
                with pytest.raises(InsufficientPrivilege):
                    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(mine)))
            with pytest.raises(InsufficientPrivilege):
                connection.execute("ALTER TABLE ledger.stored_events NO FORCE ROW LEVEL SECURITY")
    postgres_admin.execute(f"DROP ROLE {name}".encode())


def test_roles_are_made_once_and_may_be_asked_for_again(ledger: Ledger) -> None:
    with psycopg.connect(ledger.dsn, autocommit=True) as connection:
        roles.ensure(connection)
        found = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'jobledger\\_%' AND NOT rolcanlogin"
        ).fetchall()
    assert found == [("jobledger_log",)]


PLAIN = "SELECT has_parameter_privilege('jobledger_projector', 'wal_compression', 'SET')"


def test_an_owner_who_may_not_allow_that_does_without(
    plain_owner: str, postgres_admin: psycopg.Connection
) -> None:
    """Seen red where the refusal was not caught."""
    owner = sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(plain_owner)["user"]))
    with postgres_admin.transaction(force_rollback=True):
        postgres_admin.execute("REVOKE SET ON PARAMETER wal_compression FROM jobledger_projector")
        postgres_admin.execute(sql.SQL("SET LOCAL ROLE {}").format(owner))
        roles.ensure(postgres_admin)
        assert postgres_admin.execute(PLAIN).fetchone() == (False,)
    assert postgres_admin.execute(PLAIN).fetchone() == (True,)
