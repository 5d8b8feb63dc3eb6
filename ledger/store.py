"""Append events and read them back.

Invariants: positions are dense from 1; a (job, version) is written once; nothing is updated or deleted; a unit is saved whole or refused whole.
Units: position counts events across the ledger, version within one job. Errors: psycopg's own, which the committer tells apart."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NewType
from uuid import UUID

import pydantic_core
from psycopg import AsyncConnection, pq

from ledger import events, sql
from ledger.codec import Row, decode, encode
from ledger.commands import Key
from ledger.events import Envelope, Event, Recorded
from ledger.made import made
from ledger.sight import Sight, rows

SQL = sql.load(__file__)

Position = NewType("Position", int)
Connection = AsyncConnection[tuple[Any, ...]]

# A commit as a wire sends it.
APPEND: Final = b"(jsonb) AS SELECT head, moment, refused FROM ledger.append($1)"
SALT_BYTES: Final = 16
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # from which PostgreSQL counts its microseconds


class Entry(NamedTuple):
    """An event on its way into the log: all of its envelope but position and time of record."""

    job_id: UUID
    version: int
    event_id: UUID
    event: Event
    envelope: Envelope
    state: bytes

    @classmethod
    def of(
        cls, job_id: UUID, version: int, event_id: UUID, event: Event, envelope: Envelope
    ) -> Entry:
        """Encode an event. Raises Invalid when it is too large."""
        return cls(job_id, version, event_id, event, envelope, encode(event, envelope))

    def recorded(self, position: int, recorded_at: datetime) -> Recorded:
        """The entry as it stands in the log."""
        job_id, version, event_id, event, envelope, _ = self
        return made(Recorded, (position, event_id, job_id, version, recorded_at, envelope, event))


class Unit(NamedTuple):
    """What is saved whole or not at all: entries in order, each job's from the version behind that at which it must stand, and the key that guards
    them."""

    entries: tuple[Entry, ...]
    key: Key | None = None
    outcome: Mapping[str, Any] = MappingProxyType({})


class Appended(NamedTuple):
    """A unit was saved: its first event stands at `position`, the others behind it."""

    position: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A unit was not saved. `reason` is key, again, stale, stranger or taken; see the function ledger.append."""

    reason: str
    detail: Any


Result = Appended | TurnedAway


def encode_batch(units: Sequence[Unit]) -> bytes:
    """The one parameter of ledger.append, as JSON. Units are numbered from 0. Each event brings its salt."""
    rows: list[list[Any]] = []
    identities: list[list[Any]] = []
    keys: list[list[Any]] = []
    drawn = iter(salts(sum(len(unit.entries) for unit in units)))
    for number, (entries, key, outcome) in enumerate(units):
        begun: set[UUID] = set()
        for job_id, version, event_id, event, envelope, state in entries:
            project, moment = envelope.project, envelope.occurred_at
            claimed = moment.isoformat() if moment else None
            # Ids and bodies as they are: the encoder writes them in a fifth of the time.
            row = [number, job_id, version, event.TOPIC, event_id, claimed, state, project, envelope.credential_id, next(drawn)]  # fmt: skip
            if len(entries) > 1:  # alone, as nearly all are, it follows none
                if job_id in begun:
                    row.append(True)
                begun.add(job_id)
            rows.append(row)
            if type(event) is events.Created:
                identities += [
                    [number, project, kind, value, job_id] for kind, value in identities_of(event)
                ]
        if key is not None:
            keys.append([number, key.project, key.key, key.request_hash.hex(), dict(outcome)])
    batch: dict[str, list[list[Any]]] = {"events": rows}
    if identities:
        batch["identities"] = identities
    if keys:
        batch["keys"] = keys
    return pydantic_core.to_json(batch)


def salts(count: int) -> list[str]:
    """So many salts as ledger.append takes them."""
    drawn, length = os.urandom(SALT_BYTES * count).hex(), 2 * SALT_BYTES
    return [drawn[at : at + length] for at in range(0, len(drawn), length)]


def identities_of(event: events.Created) -> list[tuple[str, str]]:
    """What names the new job within its project: kinds and values."""
    named = (
        ("number", event.number),
        ("request_id", event.request_id),
        ("source_id", event.source_id),
    )
    return [(kind, str(value)) for kind, value in named if value is not None]


def answered(units: Sequence[Unit], result: pq.abc.PGresult) -> list[Result]:
    """The same of an answer in PostgreSQL's binary form."""
    head, moment, refused = (result.get_value(0, column) or b"" for column in range(3))
    position = int.from_bytes(head, "big")
    recorded_at = _EPOCH + timedelta(microseconds=int.from_bytes(moment, "big", signed=True))
    # Behind the version of the format.
    away = pydantic_core.from_json(bytes(refused)[1:]) if refused else None
    return results(units, position, recorded_at, away)


def results(
    units: Sequence[Unit], head: int, moment: datetime, refused: list[list[Any]] | None
) -> list[Result]:
    """Match the answer of ledger.append with the units, in their order."""
    turned_away = {number: TurnedAway(reason, detail) for number, reason, detail in refused or ()}
    answers: list[Result] = []
    position = head + 1
    for number, unit in enumerate(units):
        if number in turned_away:
            answers.append(turned_away[number])
        else:
            answers.append(made(Appended, (position, moment)))
            position += len(unit.entries)
    return answers


async def append(connection: Connection, units: Sequence[Unit]) -> list[Result]:
    """Save units in one commit: one result each, in order. The connection is in autocommit mode."""
    batch = encode_batch(units).decode()
    cursor = await connection.execute(SQL["append"], (batch,), prepare=True)
    row = await cursor.fetchone()
    assert row is not None
    return results(units, *row)


async def streams(
    connection: Connection, after: dict[UUID, int], *, sight: Sight = None
) -> dict[UUID, list[Recorded]]:
    """The events of each job behind the version given, in version order. Jobs without any are absent."""
    found: dict[UUID, list[Recorded]] = {}
    # Never prepared: a plan that is kept from when the log was short would read all of it for ever.
    parameters = (list(after), list(after.values()))
    for row in await rows(connection, sight, SQL["streams"], parameters, prepare=False):
        recorded = decode(Row(*row))
        found.setdefault(recorded.job_id, []).append(recorded)
    return found


async def stream_to(
    connection: Connection, job_id: UUID, version: int, *, sight: Sight = None
) -> list[Recorded]:
    """The events of one job up to `version`."""
    found = await rows(connection, sight, SQL["stream_to"], (job_id, version))
    return [decode(Row(*row)) for row in found]


async def read_after(
    connection: Connection,
    position: int,
    limit: int,
    *,
    project: str | None = None,
    sight: Sight = None,
) -> list[Recorded]:
    """At most `limit` events behind `position`, in order; of one project or of all."""
    if project is None:
        found = await rows(connection, sight, SQL["read_after"], (position, limit), prepare=True)
    else:
        values = (project, position, limit)
        sight = sight or (project,)
        found = await rows(connection, sight, SQL["read_project_after"], values, prepare=True)
    return [decode(Row(*row)) for row in found]


async def events_there(
    connection: Connection, entries: Sequence[Entry]
) -> dict[UUID, tuple[int, datetime]]:
    """Position and time of record of those entries that are in the log, by event id."""
    ids, versions = [entry.job_id for entry in entries], [entry.version for entry in entries]
    cursor = await connection.execute(SQL["events_there"], (ids, versions))
    return {event_id: (position, moment) for event_id, position, moment in await cursor.fetchall()}


async def holders(connection: Connection, unit: Unit) -> dict[tuple[str, str], UUID]:
    """Which of a unit's identities are taken, and by which job."""
    asked = [
        (entry.envelope.project, *identity)
        for entry in unit.entries
        if isinstance(entry.event, events.Created)
        for identity in identities_of(entry.event)
    ]
    columns = [list(column) for column in zip(*asked, strict=True)]
    cursor = await connection.execute(SQL["holders"], columns)
    return {(kind, value): job_id for kind, value, job_id in await cursor.fetchall()}


async def key_outcome(connection: Connection, key: Key) -> tuple[bytes, dict[str, Any]] | None:
    """The request hash and the outcome kept under a key, or None."""
    found = await rows(connection, (key.project,), SQL["key"], (key.project, key.key))
    return (bytes(found[0][0]), found[0][1]) if found else None


async def head(connection: Connection) -> Position:
    """The position of the last event, 0 for an empty log."""
    row = await (await connection.execute(SQL["head"])).fetchone()
    assert row is not None
    return Position(row[0])


async def numbers(connection: Connection, count: int) -> list[int]:
    """Draw job numbers that nobody else will get."""
    return [row[0] for row in await (await connection.execute(SQL["numbers"], (count,))).fetchall()]
