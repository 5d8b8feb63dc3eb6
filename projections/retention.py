"""Retention: which ended jobs have kept their persons' values long enough.

Invariants: the most special rule decides, one of the job's own type before one of every type; without a rule everything is kept; what is due is
erased by the eraser, so that a legal hold overrides it. Units: days since the job ended, by its own time. Errors: Invalid, NoRule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ledger import settings, sql
from ledger.errors import Invalid, LedgerError
from ledger.job import State
from ledger.words import fits, kept

SQL: Final = sql.load(__file__)
ENDS: Final = (State.SUCCEEDED, State.FAILED, State.CANCELED)


class NoRule(LedgerError):
    """There is no such rule."""

    code = "no_rule"
    hint = "`jobledger retention list` shows the rules."


@dataclass(frozen=True, slots=True)
class Rule:
    """How many days jobs that ended in a state keep personal values. The empty type is every type without a rule of its own."""

    project: str
    type: str
    state: str
    days: int
    reason: str
    set_by: str
    set_at: datetime


def put(
    connection: psycopg.Connection[Any],
    project: str,
    type_: str,
    state: State,
    days: int,
    *,
    by: str,
    reason: str,
) -> Rule:
    """Set a rule, in place of the one there was. The connection is the eraser's. Raises Invalid."""
    if state not in ENDS:
        raise Invalid(f"Only jobs that ended can be due: {', '.join(ENDS)}.", field="state")
    if not 0 < days <= settings.RETENTION_DAYS_MAX:
        raise Invalid(f"The days are between 1 and {settings.RETENTION_DAYS_MAX}.", field="days")
    kept(project=project, by=by, reason=reason)
    if type_ and not fits(type_):
        raise Invalid("No job has such a type.", field="type")
    row = {
        "project": project,
        "type": type_,
        "state": state.value,
        "days": days,
        "by": by,
        "reason": reason,
    }
    with connection.cursor(row_factory=class_row(Rule)) as cursor:
        return cursor.execute(SQL["put"], row).fetchall()[0]


def drop(connection: psycopg.Connection[Any], project: str, type_: str, state: State) -> None:
    """Keep everything again. Raises NoRule."""
    row = {"project": project, "type": type_, "state": state.value}
    if connection.execute(SQL["drop"], row).rowcount == 0:
        raise NoRule(f"{project!r} has no rule for {state.value} jobs of type {type_ or 'any'!r}.")


def rules(connection: psycopg.Connection[Any], project: str | None = None) -> list[Rule]:
    """All rules, or those of a project."""
    with connection.cursor(row_factory=class_row(Rule)) as cursor:
        return cursor.execute(SQL["rules"], {"project": project}).fetchall()


def due(connection: psycopg.Connection[Any], rule: Rule, now: datetime) -> list[UUID]:
    """The jobs for which this rule decides and whose time is over. The connection is the auditor's."""
    row = {
        "project": rule.project,
        "type": rule.type,
        "state": rule.state,
        "days": rule.days,
        "now": now,
    }
    return [job_id for (job_id,) in connection.execute(SQL["due"], row)]
