"""Data sets: the log of a platform as it grows, made from a seed, in the database itself.

Invariants: the same seed and size give the same events, ids, salts and times; one project has most jobs and the others ever fewer; some jobs fail
and are tried again, some end badly, some are still under way, and a few live long. Events of jobs that are under way at once are interleaved, and
bodies are those of the product's own encoder. Units: sizes in jobs, times a tenth of a second from one event to the next."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import psycopg

from ledger import migrate, sql
from ledger.codec import encode
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
from projections import PROJECTIONS
from scripts.benchmarks import life

SQL: Final = sql.load(__file__)

Size = Literal["none", "4k", "100k", "1M", "4M", "10M"]
# How many jobs make about so many events: 4.4 each.
SETS: Final[Mapping[Size, int]] = {
    "none": 0,
    "4k": 1_000,
    "100k": 23_000,
    "1M": 230_000,
    "4M": 1_000_000,
    "10M": 2_300_000,
}

SEED: Final = 1
BEGAN: Final = datetime(2025, 1, 1, tzinfo=UTC)
FLIGHT: Final = 64  # jobs under way at once
TURN_JOBS: Final = 800 * FLIGHT  # in one statement
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


def grow(connection: psycopg.Connection[Any], jobs: int, seed: int = SEED) -> int:
    """Write the log of so many jobs into an empty ledger; how many events it has."""
    events = 0
    with connection.transaction():
        # Past the guards, which let nothing in but by ledger.append. Only the owner of the whole server may.
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL work_mem = '256MB'")
        connection.execute("SET LOCAL synchronous_commit = off")
        _tell_lives(connection)
        values = _chances(seed)
        for first in range(0, jobs, TURN_JOBS):
            last = min(jobs, first + TURN_JOBS) - 1
            values |= {"first": first, "last": last, "position": events}
            events += connection.execute(SQL["grow"], values).rowcount
        connection.execute(SQL["finish"], {"jobs": jobs})
        connection.execute("DROP TABLE lives")
    return events


def fingerprint() -> str:
    """Tells the log of a data set from one that another generator made."""
    return _hashed((LIVES, SHARES, COMMANDS, life.TYPES, *SQL.items()))


def fingerprints() -> dict[str, str]:
    """The same of the schema, and of each read model: another fold, and other indexes, are another read model."""
    told = {"schema": _hashed([one.checksum for one in migrate.migrations()])}
    for one in PROJECTIONS:
        told[one.name] = _hashed((one.version, sorted(one.queries.items())))
    return told


def _hashed(told: object) -> str:
    return hashlib.sha256(repr(told).encode()).hexdigest()[:12]


def _tell_lives(connection: psycopg.Connection[Any]) -> None:
    envelope = Envelope(life.PROJECT, life.ACTOR)
    connection.execute(SQL["lives"])
    connection.execute(SQL["chance"])
    for kind, (_, events) in enumerate(LIVES, start=1):
        connection.execute(SQL["life"], (kind, 0, Created.TOPIC, b""))
        for step, event in enumerate(events, start=1):
            connection.execute(SQL["life"], (kind, step, event.TOPIC, encode(event, envelope)))


def _chances(seed: int) -> dict[str, Any]:
    """What is drawn from. Of n shares the first n - 1 bounds tell which is meant."""
    often = [weight / 1000 for weight, _ in LIVES]
    return {
        "seed": seed * 1000,
        "shares": [0.0, *itertools.accumulate(SHARES[:-1])],
        "kinds": [0.0, *itertools.accumulate(often[:-1])],
        "projects": list(PROJECTS),
        "types": list(life.TYPES),
        "commands": list(COMMANDS),
        "flight": FLIGHT,
        "began": BEGAN,
        "began_ms": int(BEGAN.timestamp() * 1000),
    }
