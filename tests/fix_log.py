"""A log just as a test wants it, and the rows that each read model must have after it, by definition.

Invariants: what to expect comes from ledger.job.evolve alone; events are written past every guard, as no client could, so that a test can also write
what nobody should; rows are compared whole, column by column. Units: positions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from itertools import pairwise, zip_longest
from typing import Any, Final
from uuid import UUID

import psycopg
import pydantic_core
from psycopg import Connection, sql
from psycopg.rows import dict_row

from ledger import events
from ledger.codec import encode
from ledger.connection import Role, conninfo
from ledger.events import Recorded
from ledger.job import Job, State, evolve
from ledger.past import happened
from projections import PROJECTIONS
from projections.build import Build
from projections.projection import SCHEMA, Projection
from projections.tracking import Positions
from tests.fix_counts import COLUMNS, counts
from tests.histories import CREATED, past

Row = dict[str, Any]
DEADLINE_S = 30.0  # a condition that takes longer will not come true

_INSERT = """
INSERT INTO ledger.stored_events (notification_id, originator_id, originator_version, topic, state, event_id, project, occurred_at,
                                  recorded_at, credential_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def forger(dsn: str) -> Connection[Any]:
    """A connection on which no trigger and no grant holds."""
    connection = psycopg.connect(dsn, autocommit=True)
    connection.execute("SET session_replication_role = replica")
    return connection


def projector(dsn: str) -> Connection[Any]:
    """A connection as the projector's."""
    return psycopg.connect(conninfo(dsn, Role.PROJECTOR), autocommit=True)


def record(connection: Connection[Any], log: Sequence[Recorded]) -> None:
    """Write events at the positions they have, and move the head behind the last."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_INSERT, [_values(one) for one in log])
        cursor.execute("UPDATE ledger.head SET position = %s", (log[-1].position,))


def forge(connection: Connection[Any], position: int, column: str, value: object) -> None:
    """Change a stored event."""
    connection.execute(
        sql.SQL("UPDATE ledger.stored_events SET {} = %s WHERE notification_id = %s").format(
            sql.Identifier(column)
        ),
        (value, position),
    )


def wipe(connection: Connection[Any]) -> None:
    """Forget the log."""
    connection.execute("TRUNCATE ledger.stored_events, ledger.identities")
    connection.execute("UPDATE ledger.head SET position = 0")


def _values(one: Recorded) -> tuple[object, ...]:
    return (
        *(one.position, one.job_id, one.version, one.topic, encode(one.event, one.envelope)),
        *(one.event_id, one.project, one.envelope.occurred_at, one.recorded_at),
        one.envelope.credential_id,
    )


def distinct(log: Iterable[Recorded]) -> list[Recorded]:
    """The same log with a number of its own for each job, as the ledger sees to."""
    made: list[Recorded] = []
    for one in log:
        event = one.event
        if isinstance(event, events.Created):
            event = event.model_copy(update={"number": one.position})
        made.append(one._replace(event=event))
    return made


def builds(dsn: str) -> list[Build]:
    """The tables of all projections."""
    positions = Positions(dsn)
    return [Build(projection, projection.table, positions) for projection in PROJECTIONS]


def shown(connection: Connection[Any], dsn: str, *positions: int) -> None:
    """Have every read model seen, and folded up to these positions one after another."""
    for build in builds(dsn):
        build.create(connection)
        with connection.transaction():
            build.show(connection)
        for start, to in pairwise((0, *positions)):
            build.advance(connection, start, to)


def rows(
    connection: Connection[Any], projection: Projection, table: str | None = None
) -> list[Row]:
    """What a read model's table holds."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            sql.SQL("SELECT * FROM {} ORDER BY {}").format(
                sql.Identifier(SCHEMA, table or projection.table),
                sql.SQL(", ").join(map(sql.Identifier, projection.key)),
            )
        )
        return [_plain(row) for row in cursor.fetchall()]


def _plain(row: Row) -> Row:
    # As text, so that the order of keys counts, and 1 is not 1.0.
    return {**row, "detail": json.dumps(row["detail"])} if "detail" in row else row


def expected(log: Iterable[Recorded]) -> dict[str, list[Row]]:
    """What each read model must hold after these events."""
    jobs: dict[UUID, Job] = {}
    log = list(log)
    for one in log:
        jobs[one.job_id] = evolve(jobs.get(one.job_id), one)
    found = [jobs[job_id] for job_id in sorted(jobs)]
    return {
        "jobs": [_job(job) for job in found],
        "job_states": [row for job in found for row in _stays(job)],
        "job_revisions": _revisions(log),
        "job_counts": [dict(zip(COLUMNS, row, strict=True)) for row in counts(log)],
    }


def _job(job: Job) -> Row:
    same = (
        *(
            "id",
            "project",
            "number",
            "type",
            "command",
            "object",
            "owner",
            "request_id",
            "source_id",
        ),
        *("description", "final", "version", "position", "attempts", "progress", "error_count"),
        *("items_total", "items_succeeded", "items_failed", "created_at", "updated_at"),
        *("started_at", "ended_at", "ended_by"),
    )
    return {name: getattr(job, name) for name in same} | {
        "state": job.state.value,
        "kind": job.kind and job.kind.value,
        "detail": json.dumps(job.detail),
        "failures": sum(stay.state is State.FAILED for stay in job.history),
        "history": pydantic_core.to_json([stay._asdict() for stay in job.history]).decode()[1:-1],
        "outcome": job.outcome.value,
        "phase": job.phase.value,
        "messages": [one.model_dump(exclude_defaults=True) for one in job.messages],
    }


def _stays(job: Job) -> list[Row]:
    same = ("version", "position", "final", "at", "recorded_at", "actor", "note", "source_id")
    return [
        {name: getattr(stay, name) for name in same}
        | {
            "job_id": job.id,
            "project": job.project,
            "state": stay.state.value,
            "kind": stay.kind and stay.kind.value,
            "left_position": later and later.position,
            "left_at": later and later.at,
            "lasting": 63 if later is None else (later.position - stay.position).bit_length() - 1,
        }
        for stay, later in pairwise((*job.history, None))
        if stay is not None
    ]


def _revisions(log: Sequence[Recorded]) -> list[Row]:
    streams: dict[UUID, list[Recorded]] = {}
    there: dict[str, list[Job]] = {}
    peopled: dict[UUID, Row] = {}
    for one in log:
        streams.setdefault(one.job_id, []).append(one)
        if one.version == 1:
            of_project = there.setdefault(one.project, [])
            of_project.append(evolve(None, one))
            peopled[one.job_id] = {
                "jobs": len(of_project),
                "created_to": max(job.created_at for job in of_project),
                "number_to": max(job.number for job in of_project),
                "id_to": max(job.id for job in of_project),
            }
    return [row for job in sorted(streams) for row in _life(streams[job], peopled[job])]


def _life(stream: list[Recorded], peopled: Row) -> list[Row]:
    rows: list[Row] = []
    job: Job | None = None
    for one, moment in zip(stream, happened(stream), strict=True):
        job = evolve(job, one)
        same = ("position", "version", "project", "number", "updated_at")
        rows.append(
            {name: getattr(job, name) for name in same}
            | {
                "job_id": job.id,
                "outcome": job.outcome.value,
                "failures": sum(stay.state is State.FAILED for stay in job.history),
                "happened_at": moment,
                "topic": one.topic,
                "actor": one.actor,
                "credential_id": one.envelope.credential_id,
                "ahead": True if job.updated_at > one.recorded_at + timedelta(seconds=1) else None,
            }
            | (peopled if one.version == 1 else dict.fromkeys(peopled))
        )
    return rows


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE_S:g} s"
        time.sleep(0.005)


def lives() -> list[Recorded]:
    """Two jobs, one after the other in turns: one fails, is tried again and succeeds, the other is called off."""
    first = past(
        CREATED,
        events.Queued(),
        events.Started(messages=(events.Message(code=1, message="Here we go."),)),
        events.Progressed(progress=0.5),
        events.Failed(final=False, error_count=2),
        events.Queued(),
        events.Started(),
        events.ItemsReported(succeeded=2, failed=1, total=3),
        events.Succeeded(messages=(events.Message(message="Done."),)),
    )
    second = past(CREATED, events.Queued(), events.Noted(), events.Canceled(), job_id=UUID(int=2))
    turns = [one for pair in zip_longest(first, second) for one in pair if one is not None]
    return distinct(
        one._replace(position=nth, event_id=UUID(int=nth)) for nth, one in enumerate(turns, 1)
    )


LIVES: Final = lives()


def stands(connection: Connection[Any], build: Build, log: Sequence[Recorded]) -> None:
    """The rows of a table are those of this log, and its position is the last one's."""
    assert rows(connection, build.projection, build.table) == expected(log)[build.projection.name]
    assert build.position(connection) == len(log)
