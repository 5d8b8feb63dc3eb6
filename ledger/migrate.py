"""Bring a database to the schema that this version of the ledger needs.

Invariants: migrations are numbered, checksummed and go forward only; one runs at a time, under an advisory lock; each is one transaction.
An applied file that was edited afterwards is refused. Errors: Misconfigured."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg

from ledger import roles, settings
from ledger.durability import QUERY, refuse_unsafe
from ledger.errors import Misconfigured

FOLDER = Path(__file__).with_name("migrations")
_LOCK = 0x6A6F626C  # any constant that no other program is likely to lock


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of the folder. `checksum` is the SHA-256 of its bytes, in hex."""

    number: int
    name: str
    checksum: str
    text: LiteralString


def migrations() -> tuple[Migration, ...]:
    """All migrations, in order. Their numbers are dense from 1."""
    found = []
    for path in sorted(FOLDER.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_(\w+)", path.stem)
        assert match, f"{path.name} is not named like 0001_word.sql"
        # A migration is as trusted as the code beside it.
        text: LiteralString = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        found.append(Migration(int(match[1]), match[2], checksum, text))
    assert [migration.number for migration in found] == list(range(1, len(found) + 1))
    return tuple(found)


def migrate(dsn: str) -> tuple[str, ...]:
    """Apply what is missing and return the names applied; safe to call from many processes at once."""
    refuse_library_functions()
    with psycopg.connect(dsn, autocommit=True) as connection:
        check_server(connection)
        if is_current(connection):
            # Without the owner's rights, which a server that is not an owner does not have.
            return ()
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        roles.ensure(connection)
        connection.execute("CREATE SCHEMA IF NOT EXISTS ledger")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS ledger.migrations (number int PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        missing = pending(connection)
        for migration in missing:
            with connection.transaction():
                connection.execute(migration.text)
                connection.execute(
                    "INSERT INTO ledger.migrations (number, name, checksum) VALUES (%s, %s, %s)",
                    (migration.number, migration.name, migration.checksum),
                )
        return tuple(migration.name for migration in missing)


def is_current(connection: psycopg.Connection) -> bool:
    """Whether nothing is missing. Raises Misconfigured as `pending` does."""
    row = connection.execute("SELECT to_regclass('ledger.migrations') IS NULL").fetchone()
    return row != (True,) and not pending(connection)


def pending(connection: psycopg.Connection) -> tuple[Migration, ...]:
    """The migrations that this database lacks. Raises Misconfigured when it was made by another or a newer ledger."""
    known = migrations()
    applied: dict[int, str] = dict(
        connection.execute("SELECT number, checksum FROM ledger.migrations").fetchall()
    )
    for migration in known:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise Misconfigured(
                f"Migration {migration.number:04}_{migration.name} was applied in another form than this ledger has."
            )
    if applied and max(applied) > len(known):
        raise Misconfigured(
            f"The database is at migration {max(applied)}, and this ledger knows {len(known)}: it was used by a newer version."
        )
    return tuple(migration for migration in known if migration.number not in applied)


def check_server(connection: psycopg.Connection) -> None:
    """Raise Misconfigured when this server would not keep what it acknowledges, or is too old."""
    if connection.info.server_version < settings.SERVER_VERSION_MIN:
        raise Misconfigured(
            f"PostgreSQL {connection.info.server_version // 10_000} is too old; {settings.SERVER_VERSION_MIN // 10_000} is the oldest that works."
        )
    refuse_unsafe(connection.execute(QUERY).fetchone())
    row = connection.execute("SELECT current_setting('server_encoding')").fetchone()
    if row != ("UTF8",):
        raise Misconfigured("The database's encoding is not UTF8.")


def refuse_library_functions() -> None:
    """The library's database functions take no lock, so that followers would skip events."""
    if os.environ.get("POSTGRES_ENABLE_DB_FUNCTIONS", "").strip():
        raise Misconfigured(
            "POSTGRES_ENABLE_DB_FUNCTIONS is set, and the ledger would lose its order with it."
        )
