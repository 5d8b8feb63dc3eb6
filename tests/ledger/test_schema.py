"""The schema held against the migrations: nothing to say of an honest database, and a sentence for each thing that was tampered with."""

from __future__ import annotations

import psycopg
import pytest

from ledger import schema
from tests.fix_proof import Sealed, history

TAMPERED = (
    ("DROP TRIGGER append_only ON ledger.stored_events", "append_only"),
    ("ALTER TABLE ledger.stored_events DISABLE TRIGGER append_only", "enabled D"),
    ("DROP POLICY sight ON ledger.stored_events", "policy sight"),
    ("ALTER TABLE ledger.stored_events NO FORCE ROW LEVEL SECURITY", "forced f"),
    ("GRANT UPDATE ON ledger.stored_events TO jobledger_app", "jobledger_app may UPDATE"),
    ("GRANT UPDATE (topic) ON ledger.stored_events TO jobledger_app", "topic: jobledger_app"),
    (
        "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "RETURN NULL",
    ),
    ("CREATE FUNCTION ledger.sha256(bytea) RETURNS bytea LANGUAGE sql RETURN $1", "ledger.sha256"),
    (
        "CREATE OPERATOR ledger.|| (FUNCTION = pg_catalog.byteacat, LEFTARG = bytea, RIGHTARG = bytea)",
        "operator ledger.||",
    ),
    ("CREATE RULE quiet AS ON INSERT TO ledger.stored_events DO INSTEAD NOTHING", "rule on"),
    ("ALTER TABLE ledger.stored_events ADD COLUMN more text", "stored_events.more"),
    ("DROP INDEX ledger.stored_events_position", "stored_events_position"),
    ("ALTER VIEW ledger.events SET (security_invoker = false)", "ledger.events"),
    ("UPDATE ledger.migrations SET checksum = 'x' WHERE number = 1", "migration 1"),
    ("ALTER FUNCTION ledger.append(jsonb) OWNER TO CURRENT_USER", "ledger.append(jsonb) belongs"),
)


def test_an_honest_database_has_no_faults(sealed: Sealed) -> None:
    sealed.append(history(2))
    sealed.seal()
    assert list(schema.faults(sealed.dsn)) == []


@pytest.fixture(scope="module")
def expected(module_database: str) -> set[str]:
    """What the migrations make, once for all tests here."""
    with psycopg.connect(module_database) as connection:
        return schema.lines(connection)


@pytest.mark.parametrize(("statement", "named"), TAMPERED)
def test_what_was_tampered_with_differs(
    module_database: str, expected: set[str], statement: str, named: str
) -> None:
    with psycopg.connect(module_database) as connection:
        connection.execute(statement.encode())
        found = schema.lines(connection)
        connection.rollback()
    assert [line for line in expected ^ found if named in " ".join(line.split())]


def test_what_turns_guards_off_is_named(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute("SELECT current_database()").fetchone()
        assert row is not None
        connection.execute(f'ALTER DATABASE "{row[0]}" SET session_replication_role = replica')
        connection.execute("DROP TRIGGER one_way_in ON ledger.identities")
    found = list(schema.faults(database))
    assert any("session_replication_role=replica turns guards off" in one for one in found)
    assert any(one.startswith("Missing or changed: trigger on ledger.identities") for one in found)
    assert len(found) == 2
