"""`jobledger retention`: how long ended jobs keep values of persons.

Invariants: without a rule everything is kept; `apply` erases what is due and is run by the operator's own timer; a legal hold overrides it.
Units: days since a job ended. Errors: the rules'; the eraser's."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from api import erasing
from api.commands.erase import shown
from api.commands.options import (
    By,
    Data,
    DatabaseUrl,
    Json,
    OneProject,
    Project,
    Why,
    command_group,
)
from api.commands.output import remark, say, say_json, say_table
from api.place import Place, Where, opened
from api.transfer.catch_up import catch_up
from ledger import store
from ledger.connection import Role
from ledger.eraser import Order
from ledger.erasure import FIELDS, Person
from ledger.job import State
from projections import retention
from projections.retention import Rule

command = command_group(
    "Say how long ended jobs keep values of persons, and erase what is due."
    "\n\nHow each job went remains for ever: its states, times, type and counts."
)

Type = Annotated[
    str,
    typer.Option(
        "--type",
        metavar="TYPE",
        help="Only this type of job; else every type without a rule of its own.",
    ),
]
Ended = Annotated[
    State, typer.Option("--state", help=f"How they ended: {', '.join(retention.ENDS)}.")
]


@command.command("set")
def set_rule(
    project: Project,
    state: Ended,
    days: Annotated[int, typer.Option("--days", help="Keep values so many days after the end.")],
    by: By,
    reason: Why,
    type_: Type = "",
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Set a rule, in place of the one there was.

    \b
    jobledger retention set --data ./ledger -p demo --state Succeeded --days 365 --by "data protection" --reason "policy 3"
    """  # noqa: D301 - Typer must see the backspace itself
    with (
        opened(Where.said(data, database_url)) as place,
        erasing.connection(place, Role.ERASER) as connection,
    ):
        rule = retention.put(connection, project, type_, state, days, by=by, reason=reason)
    if json:
        say_json(asdict(rule))
        return
    say(f"{_told(rule)}; `jobledger retention apply` erases what is due.")


@command.command()
def drop(
    project: Project,
    state: Ended,
    type_: Type = "",
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Drop a rule: what it was for is kept again."""
    with (
        opened(Where.said(data, database_url)) as place,
        erasing.connection(place, Role.ERASER) as connection,
    ):
        retention.drop(connection, project, type_, state)


@command.command("list")
def list_rules(
    project: OneProject = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """List the rules."""
    with (
        opened(Where.said(data, database_url)) as place,
        erasing.connection(place, Role.AUDITOR) as connection,
    ):
        rules = [asdict(rule) for rule in retention.rules(connection, project)]
    if json:
        say_json({"rules": rules})
        return
    columns = ("project", "type", "state", "days", "reason", "set_by", "set_at")
    say_table(columns, ([rule[column] for column in columns] for rule in rules))


@command.command()
def apply(
    project: OneProject = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what is due.")] = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Erase what is due by the rules; run it daily. Jobs under a legal hold are left, and the exit code is then 1.

    With --json: {"applied": [{"project", "type", "state", "days", "jobs", "bodies", "held", ...}]}.
    """
    with opened(Where.said(data, database_url)) as place:
        catch_up(place, place.asked(store.head))
        with erasing.connection(place, Role.AUDITOR) as connection:
            rules = retention.rules(connection, project)
        applied = [_apply(place, rule, dry_run=dry_run) for rule in rules]
    if json:
        say_json({"applied": applied})
    elif not applied:
        say("There is no rule, so everything is kept.")
    if any(one["held"] for one in applied):
        raise typer.Exit(1)


def _apply(place: Place, rule: Rule, *, dry_run: bool) -> dict[str, object]:
    with erasing.connection(place, Role.AUDITOR) as connection:
        due = frozenset(retention.due(connection, rule, datetime.now(UTC)))
    order = Order(
        rule.project,
        Person(fields=frozenset(FIELDS)),
        "jobledger retention",
        f"{_told(rule)}: {rule.reason}",
        due,
        everything=True,
    )
    done = shown(erasing.erase(place, order, dry_run=dry_run))
    remark(
        f"{_told(rule)}: {done['bodies']} events of {done['jobs']} jobs {'due' if dry_run else 'erased'}, {len(due)} jobs looked at"
    )
    return {
        "project": rule.project,
        "type": rule.type,
        "state": rule.state,
        "days": rule.days,
        **done,
    }


def _told(rule: Rule) -> str:
    return f"{rule.project}: {rule.state} jobs of {rule.type or 'any type'} keep values {rule.days} days"
