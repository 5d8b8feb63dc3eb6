"""The diagnosis: everything that can be broken is broken here once, and told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from api import keys
from api.diagnosis import CHECKS, Finding, diagnose
from api.operation import Scope
from api.place import Place, Where, opened
from ledger.connection import Role, conninfo
from ledger.migrate import migrations
from projections import PROJECTIONS
from projections.worker import fence
from tests.fix_embedded import wait_until
from tests.fix_log import record
from tests.fix_proof import history

LAST = len(migrations())

# An anchor, and a checkpoint that it was not given within the hour.
ANCHOR = "INSERT INTO proof.anchored (sink, at, error) VALUES"
SIGNED = (
    "INSERT INTO proof.epochs (epoch, origin, blinding, statement) VALUES (1, 'x', sha256(''), '');"
    " INSERT INTO proof.checkpoints VALUES (1, 1, '', now() - interval '1 hour')"
)

Owner = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def place(database: str, tmp_path: Path) -> Iterator[Place]:
    """A ledger that issued a key for signing."""
    with opened(Where(tmp_path, SecretStr(database), None)) as place:
        with place.owner() as connection:
            scopes = (Scope.JOBS_READ,)
            keys.create(connection, place.secret(), project="p", scopes=scopes, signature="md5")
        yield place


def wrong(place: Place) -> dict[str, Finding]:
    return {finding.check: finding for finding in diagnose(place) if not finding.good}


def test_nothing_is_wrong_with_a_new_ledger(place: Place) -> None:
    assert wrong(place) == {}
    assert [finding.check for finding in diagnose(place)] == [name for name, _ in CHECKS]
    assert all(finding.says and finding.says.endswith(".") for finding in diagnose(place))


def _sql(statement: str) -> Callable[[Place, Owner], object]:
    return lambda _, owner: owner.execute(statement.encode())


FAULTS: tuple[tuple[str, Callable[[Place, Owner], object], str], ...] = (
    ("data folder", lambda place, _: place.secret_path.parent.chmod(0o777), "chmod go-w"),
    ("secret", lambda place, _: place.secret_path.chmod(0o644), "chmod 600"),
    ("secret", lambda place, _: place.secret_path.unlink(), "cannot be read"),
    ("secret", lambda place, _: place.secret_path.write_bytes(bytes(32)), "does not open"),
    ("secret", _sql("UPDATE access.keys SET sealed_secret = '\\x01'"), "does not open"),
    ("migrations", _sql(f"DELETE FROM ledger.migrations WHERE number = {LAST}"), f"{LAST:04}_"),
    ("migrations", _sql("UPDATE ledger.migrations SET checksum = 'x' WHERE number = 2"), "another form"),
    ("roles", _sql("GRANT UPDATE ON ledger.stored_events TO jobledger_app"), "more than append"),
    ("clock", _sql("UPDATE ledger.head SET recorded_at = clock_timestamp() + interval '1 hour'"), "in the future"),
    ("maintenance", _sql("UPDATE ledger.maintenance SET refused = 'all'"), "Everything is refused"),
    ("walls", _sql("ALTER TABLE ledger.identities NO FORCE ROW LEVEL SECURITY"), "ledger.identities"),
    ("walls", _sql("ALTER TABLE ledger.stored_events DISABLE ROW LEVEL SECURITY"), "ledger.wall"),
    ("walls", _sql("ALTER VIEW ledger.events RESET (security_invoker)"), "ledger.events"),
    ("guards", _sql("DROP TRIGGER append_only ON ledger.identities"), "identities"),
    ("guards", _sql("ALTER TABLE ledger.stored_events DISABLE TRIGGER ALL"), "stored_events"),
    ("log", _sql("UPDATE ledger.head SET position = 7"), "7 were counted"),
    ("checkpoint", lambda place, _: (place.secret_path.parent / "notary").mkdir(mode=0o755), "chmod 700"),
    ("anchors", _sql(f"{ANCHOR} ('file x', now(), 'No space left')"), "No space left"),
    ("anchors", _sql(f"{SIGNED}; {ANCHOR} ('file x', now() - interval '1 day', NULL)"), "configured no more"),
    ("durability", _sql("ALTER ROLE CURRENT_USER IN DATABASE {database} SET synchronous_commit = off"), "is off"),
)  # fmt: skip


@pytest.mark.parametrize(("check", "breaks", "told"), FAULTS)
def test_a_fault_is_found_and_only_that_one(
    place: Place, check: str, breaks: Callable[[Place, Owner], object], told: str
) -> None:
    with place.owner() as owner:
        database = owner.info.dbname
        breaks(place, _Named(owner, database))  # type: ignore[arg-type]
    found = wrong(place)
    assert set(found) == {check}
    assert told in f"{found[check].says} {found[check].do}"
    assert found[check].do


# What is wrong with the whole server, how it is put right again, and what shows that it has come into effect.
SERVER_FAULTS: tuple[tuple[str, str, str, str], ...] = (
    ("durability", "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM RESET fsync", "fsync is off"),
    ("durability", "ALTER SYSTEM SET full_page_writes = off", "ALTER SYSTEM RESET full_page_writes", "full_page_writes is off"),
    ("roles", "ALTER ROLE jobledger_app SUPERUSER", "ALTER ROLE jobledger_app NOSUPERUSER", "more than append"),
    ("roles", "ALTER ROLE jobledger_reader BYPASSRLS", "ALTER ROLE jobledger_reader NOBYPASSRLS", "jobledger_reader"),
    ("roles", "ALTER ROLE jobledger_keeper CREATEROLE", "ALTER ROLE jobledger_keeper NOCREATEROLE", "jobledger_keeper"),
    ("roles", "ALTER ROLE jobledger_auditor RENAME TO gone", "ALTER ROLE gone RENAME TO jobledger_auditor", "is missing"),
)  # fmt: skip


@pytest.mark.parametrize(("check", "breaks", "mends", "told"), SERVER_FAULTS)
def test_a_server_that_is_set_wrong(
    place: Place, check: str, breaks: str, mends: str, told: str
) -> None:
    with place.owner() as owner:
        try:
            owner.execute(breaks.encode())
            owner.execute("SELECT pg_reload_conf()")
            wait_until(lambda: check in wrong(place))
            found = wrong(place)[check]
        finally:
            owner.execute(mends.encode())
            owner.execute("SELECT pg_reload_conf()")
        wait_until(lambda: not wrong(place))
    assert told in found.says
    assert found.do


def test_a_role_that_owns_the_log(place: Place) -> None:
    with place.owner() as owner:
        owner.execute("ALTER TABLE ledger.stored_events OWNER TO jobledger_projector")
    assert "jobledger_projector" in wrong(place)["roles"].says


LIMITS: tuple[tuple[str, str, object, str], ...] = (
    ("server", "api.diagnosis.SERVER_VERSION_MIN", 990_000, "PostgreSQL 99"),
    ("data folder", "api.diagnosis.DISK_FREE_BYTES_MIN", 2**62, "Make room"),
    ("connections", "api.vitals.POOL_CONNECTIONS_MAX", 10_000, "max_connections"),
)


@pytest.mark.parametrize(("check", "limit", "value", "told"), LIMITS)
def test_a_limit_that_is_passed(
    place: Place, monkeypatch: pytest.MonkeyPatch, check: str, limit: str, value: object, told: str
) -> None:
    monkeypatch.setattr(limit, value)
    found = wrong(place)
    assert set(found) == {check}
    assert told in found[check].do


@pytest.mark.parametrize("ahead", [timedelta(hours=1), -timedelta(hours=1)])
def test_this_machine_s_clock_is_off(
    place: Place, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    class Off(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Off:
            return cls.fromtimestamp((datetime.now(tz) + ahead).timestamp(), tz)

    monkeypatch.setattr("api.vitals.datetime", Off)
    found = wrong(place)
    assert set(found) == {"clock"}
    apart = re.search(r"(\d+) s apart", found["clock"].says)
    assert apart is not None
    assert abs(int(apart[1]) - 3_600) < 60, "but for how long asking took"


def test_read_models_that_are_behind(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A served ledger whose read models nobody keeps, then somebody who does not get along."""
    with place.owner() as owner:
        owner.execute("SET session_replication_role = replica")
        record(owner, history(1))
        owner.execute("RESET session_replication_role")
        with psycopg.connect(make_conninfo(conninfo(place.dsn, Role.APP), dbname="postgres")):
            assert wrong(place) == {}, (
                "nobody is served by this ledger, whoever is by another of its server"
            )
        with psycopg.connect(conninfo(place.dsn, Role.APP)):
            assert "nobody keeps" in wrong(place)["projections"].says
            for projection in PROJECTIONS:
                owner.execute("SELECT pg_advisory_lock(%s)", (fence(projection.name),))
            assert wrong(place) == {}
            monkeypatch.setattr("api.vitals.LAG_EVENTS_MAX", 4)
            assert f"{PROJECTIONS[0].name} 5" in wrong(place)["projections"].says


STANDING: tuple[tuple[str, str, str], ...] = (
    ("projections", "INSERT INTO projections.stopped (name, position, error) VALUES ('jobs', 1, 'odd')", "odd"),
    ("checkpoint", "INSERT INTO proof.stopped (error, hint) VALUES ('The log was set back.', 'renew')", "set back"),
    ("anchors", "INSERT INTO proof.anchored (sink, error) VALUES ('file', 'full')", "full"),
)  # fmt: skip


@pytest.mark.parametrize(("check", "statement", "told"), STANDING)
def test_what_has_stopped_by_itself(place: Place, check: str, statement: str, told: str) -> None:
    with place.owner() as owner:
        owner.execute(statement.encode())
    found = wrong(place)
    assert set(found) == {check}
    assert told in found[check].says
    assert found[check].do


def test_that_nothing_outside_keeps_checkpoints_is_said(place: Place) -> None:
    [found] = [one for one in diagnose(place) if one.check == "anchors"]
    assert found.good
    assert "LEDGER_ANCHOR_FILE" in found.says


def test_a_database_of_another_encoding(place: Place, postgres_admin: psycopg.Connection) -> None:
    postgres_admin.execute("DROP DATABASE IF EXISTS latin")
    postgres_admin.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    latin = replace(place, dsn=make_conninfo(place.dsn, dbname="latin"))
    try:
        assert "LATIN1" in wrong(latin)["durability"].says
    finally:
        postgres_admin.execute("DROP DATABASE latin WITH (FORCE)")


def test_every_check_was_seen_to_find_something() -> None:
    seen = {check for check, *_ in (*FAULTS, *SERVER_FAULTS, *LIMITS, *STANDING)}
    assert seen | {"environment", "login"} == {name for name, _ in CHECKS}


class _Named:
    """A connection whose statements may name their database."""

    def __init__(self, owner: Owner, database: str) -> None:
        self._owner, self._database = owner, database

    def execute(self, statement: bytes) -> object:
        return self._owner.execute(statement.replace(b"{database}", self._database.encode()))


def test_a_login_that_could_become_the_owner(database: str, tmp_path: Path) -> None:
    """What a server of somebody else's gives one: it works, and is told of."""
    given = conninfo_to_dict(database)
    one_login = make_conninfo("", **{**given, "options": ""})
    with opened(Where(tmp_path, SecretStr(one_login), None)) as place:
        found = wrong(place)
    assert set(found) == {"login"}
    assert "is a superuser and passes row-level security" in found["login"].says
    assert "README" in found["login"].do


def test_a_variable_that_would_lose_events(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", "y")
    assert set(wrong(place)) == {"environment"}


def test_a_database_that_never_was_a_ledger(place: Place, database: str) -> None:
    with place.owner() as owner:
        owner.execute("DROP SCHEMA ledger, access, projections CASCADE")
    found = wrong(place)
    assert {"migrations", "log"} <= set(found)
    assert f"{LAST} of {LAST}" in found["migrations"].says


def test_looking_changes_nothing(place: Place) -> None:
    with place.owner() as owner:
        owner.execute("DELETE FROM ledger.migrations WHERE number = %s", (LAST,))
        diagnose(place)
        assert owner.execute("SELECT max(number) FROM ledger.migrations").fetchone() == (LAST - 1,)
