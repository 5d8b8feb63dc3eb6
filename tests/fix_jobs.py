"""A ledger with some lives of jobs in it, for tests of what is read.

Invariants: events go through the real committer, chosen by a seed; the jobs to expect are folded from the log by ledger.job, never from what is
under test. Project A has jobs of every state, names that hurt, and times that are equal; project B has the same names."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from uuid_utils.compat import uuid7

from ledger import events, store
from ledger.commands import Command, Write
from ledger.committer import Committer
from ledger.connection import Role, conninfo
from ledger.errors import LedgerError
from ledger.events import Envelope, Event, Message, Recorded
from ledger.job import FAILURES, REMARKS, TRANSITIONS, Job, evolve
from projections import PROJECTIONS
from projections.build import Build, live
from projections.tracking import Positions

A, B = "a", "b"
AT_ONCE = 12  # jobs under way
ENDED = object()
CAME_BACK: tuple[Event, ...] = (
    *(events.Queued(), events.Started(), events.Failed(final=False), events.Queued()),
)
START = datetime(2024, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
AHEAD = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
TYPES = ("VirtualServer", "virtualserver", "Größe", "%s; --")
COMMANDS = (None, "Create", "Delete", "'; DROP TABLE projections.jobs_v1; --")
OBJECTS = (None, "web-1", "web-2", "q\"u'o\\te%", "😀", "%(c0)s {} $1")
OWNERS = ("ann@example.com", "Ann@example.com", "bob")
DETAILS: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"type": "virtual_server", "description": "tests", "image": "centos5.2_32_base", "a": None},
    {"z": 1, "a": [1.0, 1e22, -0.0, 2**70, True, {"k": '\u2028 \\ " é 😀'}], "m": "%s"},
)


@dataclass(frozen=True)
class Ledger:
    """A database with a log, and all that the log says."""

    dsn: str
    log: tuple[Recorded, ...]

    def jobs(self, position: int | None = None) -> dict[UUID, Job]:
        """The jobs at a position, by definition."""
        found: dict[UUID, Job] = {}
        for recorded in self.log[:position]:
            found[recorded.job_id] = evolve(found.get(recorded.job_id), recorded)
        return found


def fold(ledger: Ledger, **positions: int) -> None:
    """Show readers each read model as of its position (default: the end of the log), folded in two strides."""
    with psycopg.connect(conninfo(ledger.dsn, Role.PROJECTOR), autocommit=True) as connection:
        for projection in PROJECTIONS:
            position = positions.get(projection.name, len(ledger.log))
            table = f"{projection.name}_at_{position}"
            build = Build(projection, table, Positions(ledger.dsn))
            shown = live(connection, projection)
            if shown is not None and shown[1] == table:
                continue
            build.create(connection)
            for start, to in ((0, position // 2), (position // 2, position)):
                if start < to:
                    build.advance(connection, start, to)
            with connection.transaction():
                build.show(connection)
                if shown is not None:
                    Build(projection, shown[1], build.positions).drop(connection)


async def play(dsn: str, jobs: int = 60, seed: int = 7) -> Ledger:
    """Let jobs live in both projects."""
    chance = random.Random(seed)
    async with Committer(dsn) as committer:
        # In turns, some at once and a few for long, so that stays are of all lengths and always some jobs are in the middle of their lives.
        waiting = [_life(committer, A if nth % 4 else B, nth, chance) for nth in range(jobs)]
        under_way: list[AsyncIterator[None]] = []
        while waiting or under_way:
            while waiting and len(under_way) < AT_ONCE:
                under_way.append(waiting.pop(0))
            nth = min(chance.randrange(len(under_way)), chance.randrange(len(under_way)))
            if await anext(under_way[-1 - nth], ENDED) is ENDED:
                del under_way[-1 - nth]
    async with await AsyncConnection.connect(
        conninfo(dsn, Role.APP), autocommit=True
    ) as connection:
        return Ledger(dsn, tuple(await store.read_after(connection, 0, 1_000_000)))


async def _life(
    committer: Committer, project: str, nth: int, chance: random.Random
) -> AsyncIterator[None]:
    """One job's events, one at each step."""
    # Not all ids come in their order: some were made by clocks that are half an hour off.
    job_id = UUID(int=uuid7().int + (nth % 3 - 1 << 101))
    event: Event = _created(nth, chance)
    # Some come back to a state in which they were, and stay there.
    told = list(CAME_BACK) if nth % 15 == 7 else []
    for _ in range(len(told) + 1 if told else chance.randrange(1, 9)):
        command = Command(job_id, event, _envelope(project, nth, chance))
        try:
            job = (await committer.commit(Write((command,)))).jobs[0]
        except LedgerError:
            return  # it has ended
        yield
        event = told.pop(0) if told else _next(job, chance)


def _created(nth: int, chance: random.Random) -> Event:
    return events.Created(
        type=chance.choice(TYPES),
        owner=chance.choice(OWNERS),
        command=chance.choice(COMMANDS),
        object=chance.choice(OBJECTS),
        request_id=chance.choice((None, f"request {nth // 4}")) if nth % 4 < 2 else None,
        source_id=f"source {nth // 4}" if nth % 4 == 1 else None,
        description=chance.choice((None, "", "What it is for.")),
        detail=chance.choice(DETAILS),
        # Few different times, so that many jobs have the same.
        created_at=chance.choice((None, START + timedelta(microseconds=chance.randrange(4)))),
        messages=_messages(chance),
    )


def _next(job: Job, chance: random.Random) -> Event:
    topics = [*TRANSITIONS[job.state], *(t for t, states in REMARKS.items() if job.state in states)]
    match chance.choice(topics):
        case "job.failed":
            kind = chance.choice(sorted(FAILURES[job.state]))
            retry = kind is events.FailureKind.EXCEPTION and chance.random() < 0.7
            count = chance.choice((None, 3))
            return events.Failed(
                kind=kind, final=not retry, error_count=count, messages=_messages(chance)
            )
        case "job.progressed":
            return events.Progressed(progress=chance.choice((0, 0.1, 1 / 3, 1)))
        case "job.items_reported":
            return events.ItemsReported(
                succeeded=2, failed=chance.randrange(2), total=chance.choice((None, 0, 7))
            )
        case topic:
            return events.EVENTS[topic](messages=_messages(chance))


def _messages(chance: random.Random) -> tuple[Message, ...]:
    one = Message(code=-7, message="It 'hurts' \\ 100%", description=chance.choice((None, "😀")))
    return chance.choice(((), (), (one,), (one, Message(message=""))))


def _envelope(project: str, nth: int, chance: random.Random) -> Envelope:
    imported = chance.random() < 0.3
    claimed = chance.choice(
        (None, START + timedelta(seconds=nth, microseconds=chance.randrange(3)))
    )
    return Envelope(
        project=project,
        actor=chance.choice(("worker-1", 'na"me')),
        note=chance.choice((None, "", 'Said ["so"].')),
        source_id=chance.choice((None, "10243")) if imported else None,
        # Some clocks are ahead of ours.
        occurred_at=claimed if nth % 9 else AHEAD + timedelta(seconds=nth),
        imported=imported,
    )
