"""Data sets: the log of a platform as it grows, made from a seed.

Invariants: the same seed and size give the same events, ids and times; one project has most jobs and the others ever fewer; some jobs fail and are
tried again, some end badly, some are still under way, and a few live long. Events of jobs that are under way at once are interleaved. Units: sizes in
jobs, times a tenth of a second from one event to the next."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from ledger.codec import Row, encode
from ledger.events import (
    Canceled,
    Created,
    Envelope,
    Event,
    Failed,
    FailureKind,
    Noted,
    Progressed,
    Queued,
    Started,
    Succeeded,
)
from scripts.benchmarks import life

SEED: Final = 1
BEGAN: Final = datetime(2025, 1, 1, tzinfo=UTC)
FLIGHT: Final = 64  # jobs under way at once
LONG_EVENTS: Final = 200  # events of a long job beside its states
OTHERS: Final = tuple(f"tenant-{nth}" for nth in range(1, 16))
PROJECTS: Final = (life.PROJECT, *OTHERS)
# Seven of ten jobs are the first project's; each further one has half as many as the one before.
SHARES: Final = (0.7, *(0.3 / 2**nth for nth in range(1, 1 + len(OTHERS))))
COMMANDS: Final = ("Add", "Add", "Add", "Delete", "Restart", "Resize", None)

_RETRY: Final = (Failed(final=False), Queued(), Started())
# How a job goes on when it was created, and how often of a thousand.
LIVES: Final[tuple[tuple[int, tuple[Event, ...]], ...]] = (
    (800, (Queued(), Started(), Succeeded())),
    (60, (Queued(), Started(), *_RETRY, Succeeded())),
    (20, (Queued(), Started(), *_RETRY, *_RETRY, Failed())),
    (40, (Queued(), Started(), Failed())),
    (20, (Queued(), Started(), Failed(kind=FailureKind.ITEM_ERRORS, error_count=2))),
    (10, (Failed(kind=FailureKind.REJECTED),)),
    (20, (Queued(), Canceled())),
    (10, ()),
    (9, (Queued(),)),
    (10, (Queued(), Started(), Progressed(progress=0.5))),
    (1, (Queued(), Started(), *(Progressed(progress=nth / LONG_EVENTS) for nth in range(LONG_EVENTS - 1)), Noted(), Succeeded())),
)  # fmt: skip


def rows(jobs: int, seed: int = SEED) -> Iterator[Row]:
    """The log of so many jobs, in the order in which it grew."""
    chance = random.Random(seed)
    envelopes = [Envelope(name, life.ACTOR, credential_id="0" * 16) for name in PROJECTS]
    lives = [tuple(_encoded(events, one) for _, events in LIVES) for one in envelopes]
    weights = [often for often, _ in LIVES]
    position = 0
    for first in range(0, jobs, FLIGHT):
        count = min(FLIGHT, jobs - first)
        places = chance.choices(range(len(PROJECTS)), SHARES, k=count)
        kinds = chance.choices(range(len(LIVES)), weights, k=count)
        flight = []
        for nth, place, kind in zip(range(first, first + count), places, kinds, strict=True):
            birth = (Created.TOPIC, encode(_creation(nth, chance), envelopes[place]))
            job_id = _id(first * 5, chance)
            flight.append((job_id, PROJECTS[place], (birth, *lives[place][kind])))
        step = 0
        while flight:
            for job_id, project, told in flight:
                topic, state = told[step]
                position += 1
                moment = BEGAN + timedelta(milliseconds=100 * position)
                event_id = _id(position, chance)
                yield Row(position, job_id, step + 1, topic, state, event_id, project, None, moment, "0" * 16)  # fmt: skip
            step += 1
            flight = [one for one in flight if len(one[2]) > step]


def _encoded(events: tuple[Event, ...], envelope: Envelope) -> tuple[tuple[str, bytes], ...]:
    return tuple((event.TOPIC, encode(event, envelope)) for event in events)


def _creation(nth: int, chance: random.Random) -> Created:
    draw = chance.random()
    return Created(
        type=life.TYPES[nth % len(life.TYPES)] if nth % 97 else "Rare",
        command=COMMANDS[nth % len(COMMANDS)],
        object=None if nth % 10 == 0 else f"web-{int(200_000 * draw)}",
        # Few own much: the square leans to the first.
        owner=f"owner-{int(2_000 * draw * draw)}",
        request_id=f"request-{nth}" if nth % 3 == 0 else None,
        description="Add a server to the farm",
        detail={"image": "centos-7", "ram_mb": 2048, "ip": "10.0.0.7"},
        number=nth + 1,
    )


def _id(nth: int, chance: random.Random) -> UUID:
    """An id that sorts by time, as version 7 does, with chance for its rest."""
    return UUID(int=(nth << 80) | (7 << 76) | (2 << 62) | chance.getrandbits(62))
