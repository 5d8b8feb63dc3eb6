"""Migrations: by many at once, edited, from the future, on servers that would lose data; and what the roles may never do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, UniqueViolation

from ledger import embedded, migrate
from ledger.connection import Role, conninfo
from ledger.errors import Misconfigured
from tests.fix_embedded import StartServer, ask, wait_until

SYSTEM_15 = Path("/usr/lib/postgresql/15/bin")
THREADS = 24
TABLES = ("stored_events", "identities", "idempotency_keys")
FORBIDDEN = ("UPDATE {} SET project = project", "DELETE FROM {}", "TRUNCATE {}")

_numbers = count(1)


@dataclass(frozen=True)
class Site:
    """A server on which databases can be made."""

    server: embedded.Server

    def new_database(self) -> str:
        """A fresh database without a ledger in it."""
        name = f"bare_{next(_numbers)}"
        with psycopg.connect(self.server.dsn("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.server.dsn(name)


@pytest.fixture(scope="module", params=["wheel", "system 15"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The session's server, and the oldest PostgreSQL that we promise, where the machine has it."""
    if request.param == "wheel":
        yield Site(request.getfixturevalue("postgres"))
        return
    if not (SYSTEM_15 / "postgres").exists():
        pytest.skip(f"there is no PostgreSQL 15 in {SYSTEM_15}")
    server = embedded.start(tmp_path_factory.mktemp("pg15"), bin_dir=SYSTEM_15)
    try:
        yield Site(server)
    finally:
        server.stop("immediate")


@pytest.fixture
def bare(site: Site) -> str:
    return site.new_database()


@pytest.fixture
def migrated(bare: str) -> str:
    migrate.migrate(bare)
    return bare


def schema(dsn: str) -> list[tuple[object, ...]]:
    """Columns, constraints, indexes, triggers, functions and grants, in words."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            """
            SELECT 'column', table_schema, table_name, column_name || ' ' || data_type || ' ' || is_nullable
            FROM information_schema.columns WHERE table_schema IN ('ledger', 'access', 'projections')
            UNION ALL SELECT 'index', schemaname, indexname, indexdef FROM pg_indexes
            WHERE schemaname IN ('ledger', 'access', 'projections')
            UNION ALL SELECT 'trigger', '', c.relname, pg_get_triggerdef(t.oid)
            FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
            UNION ALL SELECT 'function', '', p.proname, pg_get_functiondef(p.oid)
            FROM pg_proc p WHERE p.pronamespace = 'ledger'::regnamespace
            UNION ALL SELECT 'grant', table_schema, table_name, grantee || ' ' || privilege_type
            FROM information_schema.role_table_grants WHERE table_schema IN ('ledger', 'access', 'projections')
            ORDER BY 1, 2, 3, 4
            """
        ).fetchall()


def test_many_at_once_migrate_once(bare: str, site: Site) -> None:
    names = [migration.name for migration in migrate.migrations()]
    with ThreadPoolExecutor(THREADS) as pool:
        applied = list(pool.map(lambda _: migrate.migrate(bare), range(THREADS)))
    assert sorted(applied) == sorted([tuple(names), *[()] * (THREADS - 1)])
    other = site.new_database()
    assert migrate.migrate(other) == tuple(names)
    assert schema(other) == schema(bare)


def test_databases_of_one_server_migrate_side_by_side(site: Site) -> None:
    """They share its roles."""
    databases = [site.new_database() for _ in range(6)]
    with ThreadPoolExecutor(len(databases)) as pool:
        applied = list(pool.map(migrate.migrate, databases))
    assert all(applied)


def test_a_migrated_database_needs_nothing(migrated: str) -> None:
    assert migrate.migrate(migrated) == ()
    with psycopg.connect(migrated) as connection:
        assert migrate.pending(connection) == ()


def test_an_edited_migration_is_refused(migrated: str) -> None:
    with psycopg.connect(migrated, autocommit=True) as connection:
        connection.execute("UPDATE ledger.migrations SET checksum = 'other' WHERE number = 1")
    with pytest.raises(Misconfigured, match="0001_log"):
        migrate.migrate(migrated)


def test_a_newer_database_is_refused(migrated: str) -> None:
    with psycopg.connect(migrated, autocommit=True) as connection:
        connection.execute("INSERT INTO ledger.migrations VALUES (9999, 'future', 'x')")
    with pytest.raises(Misconfigured, match="newer"):
        migrate.migrate(migrated)


def test_a_migration_that_fails_leaves_nothing(
    bare: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in migrate.FOLDER.glob("*.sql"):
        shutil.copy(path, tmp_path)
    last = len(migrate.migrations()) + 1
    broken = tmp_path / f"{last:04}_broken.sql"
    broken.write_text("CREATE TABLE ledger.half (); SELECT 1 / 0;")
    monkeypatch.setattr(migrate, "FOLDER", tmp_path)
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.migrate(bare)
    with psycopg.connect(bare) as connection:
        assert connection.execute("SELECT to_regclass('ledger.half')").fetchone() == (None,)
        assert [migration.number for migration in migrate.pending(connection)] == [last]
    broken.write_text("CREATE TABLE ledger.half ();")
    assert migrate.migrate(bare) == ("broken",)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_would_lose_data_is_refused(
    setting: str, start_server: StartServer, cluster_folder: Path
) -> None:
    server = start_server(cluster_folder)
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")
    wait_until(lambda: ask(server, f"SELECT current_setting('{setting}')") == "off")
    with pytest.raises(Misconfigured, match=setting):
        migrate.migrate(server.dsn())
    with psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT to_regnamespace('ledger')").fetchone() == (None,)


def test_a_database_that_answers_before_it_is_on_disk_is_refused(bare: str) -> None:
    with psycopg.connect(bare, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))
    with pytest.raises(Misconfigured, match="synchronous_commit"):
        migrate.migrate(bare)


def test_a_database_that_cannot_hold_all_characters_is_refused(site: Site) -> None:
    name = f"latin_{next(_numbers)}"
    with psycopg.connect(site.server.dsn("postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL(
                "CREATE DATABASE {} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            ).format(sql.Identifier(name))
        )
    with pytest.raises(Misconfigured, match="UTF8"):
        migrate.migrate(site.server.dsn(name))


def test_an_old_server_is_refused(bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.settings.SERVER_VERSION_MIN", 990_000)
    with pytest.raises(Misconfigured, match="too old"):
        migrate.migrate(bare)


@pytest.mark.parametrize("value", ["y", "no", "1"])
def test_the_librarys_unlocked_functions_are_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", value)
    with pytest.raises(Misconfigured, match="POSTGRES_ENABLE_DB_FUNCTIONS"):
        migrate.migrate("postgresql://nobody@127.0.0.1:1/nowhere")


ONE_OF_EACH = """
SELECT ledger.append('{"events": [[0, "00000000-0000-0000-0000-000000000001", 1, "job.queued",
  "00000000-0000-0000-0000-000000000002", null, "{}", "p", null]],
  "streams": [[0, "00000000-0000-0000-0000-000000000001", 0]],
  "identities": [[0, "p", "number", "1", "00000000-0000-0000-0000-000000000001"]],
  "keys": [[0, "p", "k", "00", {}]]}')
"""


def app(dsn: str) -> psycopg.Connection:
    return psycopg.connect(conninfo(dsn, Role.APP), autocommit=True)


def owner(dsn: str) -> psycopg.Connection:
    return psycopg.connect(dsn, autocommit=True)


@pytest.fixture(scope="module")
def filled(site: Site) -> str:
    """A ledger with an event, an identity and a key, appended by the application's role; no test can change it."""
    dsn = site.new_database()
    migrate.migrate(dsn)
    with app(dsn) as connection:
        connection.execute(ONE_OF_EACH)
    return dsn


@pytest.mark.parametrize("who", [app, owner], ids=["app", "owner"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", FORBIDDEN)
def test_nobody_changes_what_was_written(
    filled: str, who: Callable[[str], psycopg.Connection], table: str, statement: str
) -> None:
    """The application lacks the right; the owner, who has every right, meets the trigger."""
    change = sql.SQL(statement).format(sql.Identifier("ledger", table))
    with who(filled) as connection:
        with pytest.raises(InsufficientPrivilege) as refusal:
            connection.execute(change)
        assert ("append-only" in str(refusal.value)) == (who is owner)
        seen = connection.execute(
            sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("ledger", table))
        )
        assert seen.fetchone() == (1,)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger.head",
        "TRUNCATE ledger.head",
        "INSERT INTO ledger.migrations VALUES (99, 'x', 'x')",
        "UPDATE ledger.migrations SET checksum = 'x'",
        "ALTER TABLE ledger.stored_events DISABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON ledger.stored_events",
        "DROP TABLE ledger.stored_events",
        "CREATE TABLE ledger.mine ()",
        "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE sql AS ''",
        "SET session_replication_role = replica",
        "INSERT INTO access.keys (key_id, project, name, scopes, key_hash) VALUES ('a', 'p', 'n', '{}', '')",
        "CREATE TABLE projections.mine ()",
    ],
)
def test_the_applications_role_has_no_other_way(filled: str, statement: str) -> None:
    with app(filled) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize("role", Role)
def test_reset_role_does_not_give_the_owners_rights(filled: str, role: Role) -> None:
    with psycopg.connect(conninfo(filled, role), autocommit=True) as connection:
        for way in ("RESET ROLE", "RESET ALL", "DISCARD ALL", "SET role TO DEFAULT"):
            connection.execute(way.encode())
            assert connection.execute("SELECT current_user").fetchone() == (role.value,), way
            with pytest.raises(InsufficientPrivilege):
                connection.execute("DELETE FROM ledger.stored_events")


def test_a_position_and_a_version_are_given_once(filled: str) -> None:
    row = (
        "INSERT INTO ledger.stored_events (notification_id, originator_version, recorded_at, originator_id, topic, state)"
        " VALUES (%s, %s, now(), '00000000-0000-0000-0000-000000000001', 't', '')"
    )
    with owner(filled) as connection:
        connection.execute("SET ROLE jobledger_log")
        for position, version in ((1, 2), (2, 1)):
            with pytest.raises(UniqueViolation):
                connection.execute(row, (position, version))


def test_auditors_read_the_log_in_the_domains_words(filled: str) -> None:
    with app(filled) as connection:
        seen = connection.execute(
            "SELECT position, job_id, version, project, topic, event FROM ledger.events"
        ).fetchone()
    assert seen is not None
    assert (seen[0], seen[1].int, *seen[2:]) == (1, 1, 1, "p", "job.queued", None)
