"""`jobledger audit`: who did what, where jobs were and how long, what was refused.

Invariants: the words and the answers are those of GET /v1/projects/PROJECT/audit/..., read and told by the same functions. Units: seconds,
positions. Errors: Invalid, and the place's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from api import past
from api.commands.options import Data, DatabaseUrl, Json, Project, command_group
from api.commands.output import remark, say_json, say_table
from api.dialects.native import audit, view
from api.operation import Asked
from api.place import Place, Where, opened
from api.transfer.catch_up import catch_up
from ledger import store
from projections.audit import COLUMNS, Findings, Inquiry, inquire
from projections.past import resolve

command = command_group()

_EVENT_COLUMNS = ("position", "recorded_at", "actor", "credential_id", "event", "job", "note")

What = Annotated[
    str,
    typer.Argument(metavar="WHAT", help=f"One of {', '.join(kind for kind, *_ in audit.KINDS)}."),
]
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME=VALUE]...", help="As in the address: actor=ann, state=Failed."),
]


@command.command("audit")
def ask_about(
    what: What,
    project: Project,
    words: Words = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Say who did what, where jobs were and for how long, and what was refused.

    \b
    jobledger audit actions --data ./ledger --project demo event=job.canceled from=2024-05-01
    jobledger audit actions --data ./ledger --project demo actor=ann
    jobledger audit stays --data ./ledger --project demo state=Failed from=2024-05-01 to=2024-05-02
    jobledger audit stuck --data ./ledger --project demo state=Processing longer_than=86400
    jobledger audit durations --data ./ledger --project demo type=VirtualServer
    jobledger audit refusals --data ./ledger --project demo credential_id=0123456789abcdef

    Names and values are those of GET /v1/projects/PROJECT/audit/WHAT, `as_of=` too; so is the answer with --json: {"events", "rows", "last"}.
    """  # noqa: D301 - Typer must see the backspace itself
    kinds = {kind: (kind, known) for kind, _, known in audit.KINDS}
    if what not in kinds:
        raise typer.BadParameter(f"{what!r} is none of {', '.join(kinds)}.", param_hint="WHAT")
    pairs = tuple(_pair(word) for word in words or ())
    asked = Asked("GET", "", query=pairs, path_params={"project": project}, now=datetime.now(UTC))
    with opened(Where.said(data, database_url)) as place:
        catch_up(place, place.asked(store.head))
        _travel(place, project, asked)
        found = _found(place, audit.inquiry(*kinds[what], asked))
    _say(what, found, json=json)


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise typer.BadParameter(f"{word!r} is not NAME=VALUE.", param_hint="NAME=VALUE")
    return name, value


def _travel(place: Place, project: str, asked: Asked) -> None:
    then = past.read(asked.query)
    if then is not None:
        as_of, now = place.asked(lambda connection: resolve(connection, project, then))
        past.go(asked, as_of, now)


def _found(place: Place, question: Inquiry) -> Findings:
    return place.asked(lambda connection: inquire(connection, question, (question.project,)))


def _say(what: str, found: Findings, *, json: bool) -> None:
    events: list[dict[str, Any]] = [view.event(one) for one in found.recorded]
    if json:
        say_json({"events": events, "rows": found.rows, "last": found.last})
        return
    if what == "actions":
        say_table(_EVENT_COLUMNS, ([one[name] for name in _EVENT_COLUMNS] for one in events))
    else:
        say_table(
            COLUMNS[what if what != "stuck" else "stays"],
            (list(row.values()) for row in found.rows),
        )
    if found.last is not None:
        remark(f"More: after={found.last}")
