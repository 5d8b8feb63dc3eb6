"""Bulk: many jobs' histories in one commit, without the committer.

Invariants: the same lock and the same guards as any other append; an addition is saved whole or turned away whole, and spares the others; events
keep the order of the lines that told them. Units: `after` is the version that a job must stand at, 0 when it must not exist."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import le
from typing import Any, Final, Protocol
from uuid import UUID

import psycopg
import pydantic_core
from uuid_utils import uuid7

from ledger import arrays, events, sql, store
from ledger.arrays import Array
from ledger.codec import Row
from ledger.imported import Claim, History
from ledger.store import Connection, TurnedAway

SQL: Final = sql.load(__file__)
Batch = tuple[Array, ...]

_VERSIONS: Final = [arrays.bigint(version) for version in range(1, 1_001)]


@dataclass(frozen=True, slots=True)
class Addition:
    """What is to be appended of a history, behind version `after` of its job."""

    history: History
    claims: Sequence[Claim]
    after: int = 0


def pack(additions: Sequence[Addition]) -> Batch:
    """The parameters of ledger.append_all, whose comment describes them."""
    jobs: list[bytes] = []
    versions: list[bytes] = []
    projects: list[bytes] = []
    claims: list[Claim] = []
    continued: list[tuple[bytes, ...]] = []
    named: list[tuple[bytes, ...]] = []
    for addition in additions:
        history, after, told = addition.history, addition.after, addition.claims
        job, project, count = (
            arrays.uuid(history.job_id.bytes),
            arrays.word(history.project),
            len(told),
        )
        jobs += [job] * count
        versions += version_cells(after, count)
        projects += [project] * count
        claims += told
        event = told[0].event
        if after:
            continued.append((job, arrays.bigint(after), project))
        elif isinstance(event, events.Created):
            for kind, value in store.identities_of(event):
                named.append((job, project, arrays.word(kind), arrays.text(value)))
    columns = [jobs, versions, *_cells(claims), projects]
    if order := _order([claim.line for claim in claims]):
        columns = [[cells[place] for place in order] for cells in columns]
    return arranged(len(claims), columns, continued, named)


def arranged(
    count: int,
    columns: Sequence[Sequence[bytes]],
    continued: Sequence[Sequence[bytes]],
    named: Sequence[Sequence[bytes]],
) -> Batch:
    """A batch of the columns of so many events, in which several cells may stand as one, and the cells of jobs that go on and of names."""
    return (
        *(
            Array(of, count, b"".join(cells))
            for of, cells in zip(_EVENT, (*columns, [arrays.uuids(count)]), strict=True)
        ),
        *map(arrays.array, _CONTINUED, zip(*continued, strict=True) if continued else ((),) * 3),
        *map(arrays.array, _NAMED, zip(*named, strict=True) if named else ((),) * 4),
    )


def joined(batches: Sequence[Batch]) -> Batch:
    """One batch of several, in their order."""
    return tuple(map(arrays.joined, zip(*batches, strict=True)))


_EVENT: Final = (
    arrays.UUIDS,
    arrays.BIGINTS,
    arrays.TEXTS,
    arrays.UUIDS,
    arrays.TIMES,
    arrays.BYTEAS,
    arrays.TEXTS,
    arrays.TEXTS,
    arrays.UUIDS,
)
_CONTINUED: Final = (arrays.UUIDS, arrays.BIGINTS, arrays.TEXTS)
_NAMED: Final = (arrays.UUIDS, arrays.TEXTS, arrays.TEXTS, arrays.TEXTS)


def version_cells(after: int, count: int) -> list[bytes]:
    """Cells of so many versions behind this one."""
    last = after + count
    if last <= len(_VERSIONS):
        return _VERSIONS[after:last]
    return [arrays.bigint(version) for version in range(after + 1, last + 1)]


def _cells(claims: Sequence[Claim]) -> tuple[list[bytes], ...]:
    """Topics, event ids, times, bodies and credentials."""
    topics: list[bytes] = []
    ids: list[bytes] = []
    times: list[bytes] = []
    states: list[bytes] = []
    credentials: list[bytes] = []
    for event, envelope, at, state, event_id, _ in claims:
        topics.append(arrays.word(event.TOPIC))
        ids.append(arrays.uuid((event_id or uuid7()).bytes))
        times.append(arrays.time(at))
        states.append(arrays.octets(state))
        credentials.append(arrays.word(envelope.credential_id))
    return topics, ids, times, states, credentials


def _order(lines: list[int]) -> list[int] | None:
    """The places of events in the order of their lines, None when they stand so; those of one line stay as they are."""
    if all(map(le, lines, lines[1:])):
        return None
    return sorted(range(len(lines)), key=lines.__getitem__)


def encode(additions: Sequence[Addition]) -> str:
    """The one parameter of ledger.append, whose comment describes it: of a batch that is known to clash."""
    rows: list[list[Any]] = []
    lines: list[int] = []
    streams: list[list[Any]] = []
    identities: list[list[Any]] = []
    salts = iter(store.salts(sum(len(addition.claims) for addition in additions)))
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
                    next(salts),
                ]
            )
            lines.append(line)
            if version == 1 and isinstance(event, events.Created):
                for kind, value in store.identities_of(event):
                    identities.append([unit, project, kind, value, job_id])
    order = _order(lines)
    batch = {
        "events": [rows[place] for place in order] if order else rows,
        "streams": streams,
        "identities": identities,
        "keys": [],
    }
    return pydantic_core.to_json(batch).decode()


async def append_all(connection: Connection, batch: Batch) -> int | None:
    """Save a batch in one commit: the position it was behind, or None where any of it clashes, and then nothing was written."""
    cursor = await connection.execute(SQL["append_all"], batch, prepare=True)
    row = await cursor.fetchone()
    assert row is not None
    head: int | None = row[0]
    return head


async def sent(connection: Connection) -> None:
    """Wait until all of a statement that another task asks has gone out: before, the database does nothing, so nothing should take its time. Of a
    connection that breaks meanwhile that task is told, not this one."""
    if connection.closed:
        return
    loop, room, theirs = asyncio.get_running_loop(), asyncio.Event(), connection.fileno()
    if not _is_left(connection, theirs):
        return
    # The socket by another number, since psycopg waits for it by its own.
    ours = os.dup(theirs)
    loop.add_writer(ours, room.set)
    try:
        while _is_left(connection, theirs):
            room.clear()
            await room.wait()
    finally:
        loop.remove_writer(ours)
        os.close(ours)


def _is_left(connection: Connection, watched: int) -> bool:
    try:
        return bool(connection.pgconn.flush())
    except psycopg.Error:
        # libpq has closed what the other task watches. That one looks by itself before long; uvloop would end the process (see ledger.ear).
        loop = asyncio.get_running_loop()
        loop.remove_reader(watched)
        loop.remove_writer(watched)
        return False


async def append(
    connection: Connection, additions: Sequence[Addition], batch: Batch
) -> tuple[int, list[TurnedAway | None]]:
    """Save additions, packed as `batch`, in one commit: the position it was behind, and what was turned away, addition by addition."""
    answers: list[TurnedAway | None] = [None] * len(additions)
    head = await append_all(connection, batch)
    if head is not None:
        return head, answers
    # Something clashes: the other function tells what, and spares the rest.
    cursor = await connection.execute(store.SQL["append"], (encode(additions),), prepare=True)
    row = await cursor.fetchone()
    assert row is not None
    position, _, refused = row
    for unit, reason, detail in refused or ():
        answers[unit] = TurnedAway(reason, detail)
    return position, answers


async def numbers(connection: Connection, count: int) -> list[int]:
    """Draw job numbers that nobody else will get, as one value: each as a row would take as long as its job's times do."""
    cursor = await connection.execute(SQL["numbers"], (count,), prepare=True)
    row = await cursor.fetchone()
    assert row is not None
    drawn: list[int] = row[0]
    return drawn


class Named(Protocol):
    """Jobs of one project that are told of, with the names that their source gives them, as kinds and values."""

    @property
    def project(self) -> str:
        """Whose they are."""

    @property
    def names(self) -> Sequence[tuple[str, str]]:
        """What they are called."""


async def holders(
    connection: Connection, told: Iterable[Named]
) -> dict[tuple[str, str, str], UUID]:
    """Which jobs have these names, by project, kind and value."""
    found: dict[tuple[str, str, str], UUID] = {}
    by_project: dict[str, list[tuple[str, str]]] = {}
    for one in told:
        by_project.setdefault(one.project, []).extend(one.names)
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
