"""The diagnosis: everything that can be broken is broken here once, and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from ledger.migrate import migrations

LAST = len(migrations())

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


def test_a_full_disk(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.diagnosis.DISK_FREE_BYTES_MIN", 2**62)
    assert set(wrong(place)) == {"data folder"}


def test_looking_changes_nothing(place: Place) -> None:
    with place.owner() as owner:
        owner.execute("DELETE FROM ledger.migrations WHERE number = %s", (LAST,))
        diagnose(place)
        assert owner.execute("SELECT max(number) FROM ledger.migrations").fetchone() == (LAST - 1,)
