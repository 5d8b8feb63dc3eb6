"""Audit: who did what, how long jobs stayed where, and what was refused.

Invariants: an answer holds nothing of another project; times are times of record; as of a position, what came later had not come. Units: positions
count events, durations are seconds. Errors: Invalid when a question is about more stays than it may sum; Busy before the first build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from psycopg import sql as text
from psycopg.sql import Composed

from ledger import settings, sql, store
from ledger.codec import Row, decode
from ledger.errors import Busy, Invalid
from ledger.events import Recorded
from ledger.job import State
from ledger.past import AsOf
from ledger.sight import Sight, rows
from ledger.store import Connection
from projections.reader import BUILDING

SQL: Final = sql.load(__file__)
_TEXTS: Final = {name: text.SQL(query.partition("\n")[2].strip()) for name, query in SQL.items()}
# The columns of each answer but `actions`, whose events come as the log has them.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "stays": (
        *("position", "job", "number", "type", "object", "owner", "state", "kind", "final"),
        *("at", "recorded_at", "actor", "note", "left_position", "left_at"),
    ),
    "durations": ("type", "state", "stays", "ended", "p50_s", "p90_s", "p99_s", "max_s"),
    "refusals": (
        *("nth", "at", "actor", "credential_id", "request_id", "operation", "job", "code"),
        *("reason", "refused_in_hour"),
    ),
}


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One question of an auditor. What is None is not asked; `after` is where a page begins; `since`: in effect ever since this time."""

    kind: Literal["actions", "stays", "stuck", "durations", "refusals"]
    project: str
    actor: str | None = None
    credential_id: str | None = None
    event: str | None = None
    code: str | None = None
    state: str | None = None
    type: str | None = None
    begin: datetime | None = None
    end: datetime | None = None
    since: datetime | None = None
    after: int = 0
    limit: int = 100
    as_of: AsOf | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """A page of what was found: events, or rows by the names of COLUMNS. `last`: where the next page begins, None when this is the last."""

    recorded: tuple[Recorded, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    last: int | None = None


async def inquire(connection: Connection, asked: Inquiry, sight: Sight) -> Findings:
    """The answer to one question."""
    head = await store.head(connection) if asked.as_of is None else asked.as_of.position
    values = _values(asked, head)
    match asked.kind:
        case "actions":
            query = "canceled" if asked.event == "job.canceled" else "actions"
            found = await _rows(connection, _spoken(query), values, sight)
            recorded = tuple(decode(Row(*one)) for one in found[: asked.limit])
            more = len(found) > asked.limit
            return Findings(recorded, (), recorded[-1].position if more else None)
        case "durations":
            return await _durations(connection, values, sight)
        case "stays" | "stuck":
            return _page(
                asked, "stays", await _rows(connection, _spoken(asked.kind), values, sight)
            )
        case "refusals":
            return _page(
                asked, "refusals", await _rows(connection, _spoken("refusals"), values, sight)
            )


async def _durations(connection: Connection, values: dict[str, Any], sight: Sight) -> Findings:
    values["limit"] = settings.AUDIT_STAYS_MAX + 1
    found = await _rows(connection, _spoken("durations"), values, sight)
    told = tuple(dict(zip(COLUMNS["durations"], one, strict=True)) for one in found)
    if sum(row["stays"] for row in told) > settings.AUDIT_STAYS_MAX:
        raise Invalid(
            f"More than {settings.AUDIT_STAYS_MAX} stays began then; ask about a shorter time.",
            field="from",
        )
    return Findings(rows=told)


def _page(asked: Inquiry, kind: str, found: list[tuple[Any, ...]]) -> Findings:
    names = COLUMNS[kind]
    told = tuple(dict(zip(names, one, strict=True)) for one in found[: asked.limit])
    return Findings((), told, told[-1][names[0]] if len(found) > asked.limit else None)


def _values(asked: Inquiry, until: int) -> dict[str, Any]:
    return {
        "project": asked.project,
        "actor": asked.actor,
        "credential_id": asked.credential_id,
        "event": asked.event,
        "code": asked.code,
        "state": asked.state,
        "states": [asked.state] if asked.state else list(State),
        "type": asked.type,
        "from": asked.begin,
        "to": asked.since or asked.end,
        "after": asked.after,
        "until": until,
        "limit": asked.limit + 1,
    }


def _spoken(kind: str) -> Composed:
    """A query, with what its bounds are."""
    begun, ended = _TEXTS["begun"], _TEXTS["ended"]
    if kind == "stuck":
        # In effect at the end, and begun by then.
        return _TEXTS["stays"].format(in_effect=text.SQL("%(until)s::bigint"), begun_by=ended)
    return _TEXTS[kind].format(begun=begun, ended=ended, in_effect=begun, begun_by=ended)


async def _rows(
    connection: Connection, query: Composed, values: dict[str, Any], sight: Sight
) -> list[tuple[Any, ...]]:
    try:
        # Planned for what is asked: the parts that are not drop out.
        return await rows(connection, sight, query.as_bytes(), values, prepare=False)
    except BUILDING as error:
        raise Busy("The read models are being made for the first time.") from error
