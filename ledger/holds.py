"""Legal holds: what must not be erased, whoever asks.

Invariants: while a hold is not released, `ledger.erase` refuses the jobs it covers, in the database; a hold is never deleted, and who placed and who
released it stays. Units: none. Errors: Invalid, UnknownHold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ledger import sql
from ledger.errors import Invalid, LedgerError
from ledger.words import fits, kept

SQL: Final = sql.load(__file__)


class UnknownHold(LedgerError):
    """There is no such hold, or it was released."""

    code = "unknown_hold"
    hint = "`jobledger hold list` shows the holds and their ids."


class Kind(StrEnum):
    """What a hold covers: a whole project, the jobs of a type, one job, or every job in whose events a text stands."""

    PROJECT = "project"
    TYPE = "type"
    JOB = "job"
    SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as the database keeps it."""

    hold_id: UUID
    project: str
    kind: str
    value: str
    reason: str
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None
    release_reason: str | None


def place(
    connection: psycopg.Connection[Any],
    project: str,
    kind: Kind,
    value: str,
    *,
    by: str,
    reason: str,
) -> Hold:
    """Forbid to erase; a hold that stands already is answered as it is. The connection is the eraser's. Raises Invalid."""
    kept(project=project, by=by, reason=reason)
    if kind is not Kind.PROJECT and not fits(value):
        raise Invalid(f"A hold on a {kind.value} names it.", field=kind.value)
    row = {"project": project, "kind": kind.value, "value": value, "by": by, "reason": reason}
    with connection.cursor(row_factory=class_row(Hold)) as cursor:
        placed = cursor.execute(SQL["place"], row).fetchone()
        return placed or cursor.execute(SQL["standing"], row).fetchall()[0]


def release(connection: psycopg.Connection[Any], hold_id: UUID, *, by: str, reason: str) -> Hold:
    """End a hold. Raises Invalid, UnknownHold."""
    kept(by=by, reason=reason)
    with connection.cursor(row_factory=class_row(Hold)) as cursor:
        found = cursor.execute(
            SQL["release"], {"hold_id": hold_id, "by": by, "reason": reason}
        ).fetchone()
    if found is None:
        raise UnknownHold(f"No hold {hold_id} stands.")
    return found


def listed(connection: psycopg.Connection[Any], project: str | None = None) -> list[Hold]:
    """All holds, or those of a project, the oldest first."""
    with connection.cursor(row_factory=class_row(Hold)) as cursor:
        return cursor.execute(SQL["listed"], {"project": project}).fetchall()
