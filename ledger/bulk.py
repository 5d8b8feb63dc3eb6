"""Bulk: many jobs' histories in one call of ledger.append, without the committer.

Invariants: the same function, the same locks and the same checks as any other append; an addition is saved whole or turned away whole, and spares
the others; events keep the order of the lines that told them. Units: `after` is the version that a job must stand at, 0 when it must not exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import le
from typing import Any
from uuid import UUID

import pydantic_core
from uuid_utils import uuid7

from ledger import events, store
from ledger.codec import Row
from ledger.imported import Claim, History
from ledger.store import Connection, TurnedAway


@dataclass(frozen=True, slots=True)
class Addition:
    """What is to be appended of a history, behind version `after` of its job."""

    history: History
    claims: Sequence[Claim]
    after: int = 0


def encode(additions: Sequence[Addition]) -> str:
    """The one parameter of ledger.append, whose comment describes it. The encoder writes UUIDs and times itself, which is ten times faster."""
    rows: list[list[Any]] = []
    lines: list[int] = []
    streams: list[list[Any]] = []
    identities: list[list[Any]] = []
    for unit, addition in enumerate(additions):
        job_id, version, project = addition.history.job_id, addition.after, addition.history.project
        streams.append([unit, job_id, version, project])
        for event, envelope, at, state, event_id, line in addition.claims:
            version += 1
            rows.append(
                [
                    unit,
                    job_id,
                    version,
                    event.TOPIC,
                    event_id or str(uuid7()),
                    at,
                    state,
                    project,
                    envelope.credential_id,
                ]
            )
            lines.append(line)
            if version == 1 and isinstance(event, events.Created):
                for kind, value in store.identities_of(event):
                    identities.append([unit, project, kind, value, job_id])
    batch = {
        "events": _in_order(rows, lines),
        "streams": streams,
        "identities": identities,
        "keys": [],
    }
    return pydantic_core.to_json(batch).decode()


def _in_order(rows: list[list[Any]], lines: list[int]) -> list[list[Any]]:
    """The rows in the order of their lines; those of one line stay as they are."""
    if all(map(le, lines, lines[1:])):
        return rows
    order = sorted(range(len(lines)), key=lines.__getitem__)
    return [rows[place] for place in order]


async def append(
    connection: Connection, units: int, batch: str
) -> tuple[int, list[TurnedAway | None]]:
    """Save an encoded batch of so many units in one commit: the position it left the log at, and what was turned away, unit by unit."""
    cursor = await connection.execute(store.SQL["append"], (batch,), prepare=True)
    row = await cursor.fetchone()
    assert row is not None
    position, _, refused = row
    answers: list[TurnedAway | None] = [None] * units
    for unit, reason, detail in refused or ():
        answers[unit] = TurnedAway(reason, detail)
    return position, answers


async def holders(
    connection: Connection, histories: Iterable[History]
) -> dict[tuple[str, str, str], UUID]:
    """Which jobs have the histories' names, by project, kind and value."""
    found: dict[tuple[str, str, str], UUID] = {}
    by_project: dict[str, list[tuple[str, str]]] = {}
    for history in histories:
        by_project.setdefault(history.project, []).extend(history.names)
    for project, names in by_project.items():
        kinds, values = [kind for kind, _ in names], [value for _, value in names]
        cursor = await connection.execute(
            store.SQL["holders"], ([project] * len(names), kinds, values), prepare=True
        )
        found.update(
            {(project, kind, value): job_id for kind, value, job_id in await cursor.fetchall()}
        )
    return found


async def stored(connection: Connection, job_ids: Iterable[UUID]) -> dict[UUID, list[Row]]:
    """All events of these jobs as they are stored, in version order. Unknown jobs are absent."""
    found: dict[UUID, list[Row]] = {}
    ids = list(job_ids)
    cursor = await connection.execute(store.SQL["streams"], (ids, [0] * len(ids)), prepare=True)
    for values in await cursor.fetchall():
        row = Row(*values)
        found.setdefault(row.originator_id, []).append(row)
    return found
