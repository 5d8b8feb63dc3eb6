"""Questions to a ledger: one that was played and folded, the same question in Python, and how questions are drawn.

Invariants: the expected answer comes from jobs folded by ledger.job, in Python's own order; one ledger serves a test module, so a test that moves
the read models puts them back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from ledger import settings as ledger_settings
from ledger.connection import Role, conninfo
from ledger.events import Recorded
from ledger.job import Job, State
from ledger.job import fold as job_fold
from ledger.past import AsOf, cut
from ledger.store import Connection
from projections import query
from projections.filters import FILTERS, SORTS, Condition, Sort, Value
from projections.question import Page, Query
from tests.fix_jobs import A, B, Ledger, fold, play

T = TypeVar("T")
EVERYTHING = 1_000
# How few jobs are put in order by themselves: none, some, or all of those of a test; so that each way to them is gone.
FEW = (0, 3, 5_000)
# A machine may be busy, and no test asserts a time.
laws = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def few(most: int) -> Iterator[None]:
    """So many jobs are few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger_settings, "PAST_FEW_MAX", most)
        patch.setattr(ledger_settings, "PAST_STANDING_MAX", most)
        yield


@dataclass(frozen=True)
class Asker:
    """A ledger, its jobs, and a way to ask it from tests that are not asynchronous."""

    ledger: Ledger
    jobs: tuple[Job, ...]
    runner: asyncio.Runner
    connection: Connection

    def find(self, asked: Query) -> Page:
        return self.run(query.find(self.connection, asked))

    def run(self, answer: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await answer

        return self.runner.run(awaited())

    def at(self, then: AsOf) -> tuple[Job, ...]:
        """The jobs as of an earlier moment, by its definition."""
        jobs = (job_fold(stream) for stream in self.streams(then))
        return tuple(job for job in jobs if job is not None)

    def streams(self, then: AsOf) -> list[list[Recorded]]:
        """What of each job's events counts as of an earlier moment."""
        streams: dict[UUID, list[Recorded]] = {}
        for one in self.ledger.log:
            streams.setdefault(one.job_id, []).append(one)
        return [cut(stream, then) for stream in streams.values()]

    def expected(self, asked: Query) -> tuple[Job, ...]:
        """The whole list, by its definition."""
        jobs = self.jobs if asked.as_of is None else self.at(asked.as_of)
        found = [job for job in jobs if job.project == asked.project]
        found = [job for job in found if all(matches(job, one) for one in asked.conditions)]
        found.sort(
            key=lambda job: job.number, reverse=bool(asked.sort) and asked.sort[-1].descending
        )
        if asked.sort and (then := SORTS[asked.sort[-1].column].then):
            found.sort(key=lambda job: getattr(job, then), reverse=asked.sort[-1].descending)
        for one in reversed(asked.sort):
            found.sort(
                key=lambda job: getattr(job, SORTS[one.column].column), reverse=one.descending
            )
        return tuple(found)


def matches(job: Job, condition: Condition) -> bool:
    value = getattr(job, condition.filter.column)
    match condition.filter.operator:
        case "in":
            return value in condition.values
        case ">=":
            return all(value >= bound for bound in condition.values)
        case "<=":
            return all(value <= bound for bound in condition.values)


@pytest.fixture(scope="module")
def asker(module_database: str) -> Iterator[Asker]:
    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
        # So that the few events of a test are many stretches.
        patch.setattr(ledger_settings, "COUNTS_STRETCH", 16)
        ledger = runner.run(play(module_database))
        fold(ledger)
        connection = runner.run(connected(module_database))
        yield Asker(ledger, tuple(ledger.jobs().values()), runner, connection)
        runner.run(connection.close())


@pytest.fixture
def sent(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every statement of the one who asks, and of nobody else: a server that runs beside all tests of a session asks, too."""
    told: list[Any] = []
    cursor = type(asker.connection.cursor())
    execute = cursor.execute

    async def counted(self, text, *values, **more):  # type: ignore[no-untyped-def]
        if self.connection is asker.connection:
            told.append(text)
        return await execute(self, text, *values, **more)

    monkeypatch.setattr(cursor, "execute", counted)
    return told


async def connected(dsn: str) -> Connection:
    return await AsyncConnection.connect(conninfo(dsn, Role.READER), autocommit=True)


def values_of(asker: Asker, name: str) -> st.SearchStrategy[Value]:
    """Values that some job has, of either project, and some that none has."""
    row = FILTERS[name]
    known = sorted({getattr(job, row.column) for job in asker.jobs} - {None})
    alien: dict[str, list[Value]] = {
        "state": list(State),
        "number": [0, 2**63 - 1],
        "id": [UUID(int=0)],
        "created_from": [],
        "created_to": [],
        "updated_from": [],
        "updated_to": [],
    }
    strange: list[Value] = ["nobody", "' OR true --", "%", "\\", "{}", "%(project)s", "\U0010ffff"]
    return st.sampled_from([*known, *alien.get(name, strange)])


@st.composite
def conditions(draw: st.DrawFn, asker: Asker, name: str) -> Condition:
    row = FILTERS[name]
    values = draw(st.lists(values_of(asker, name), min_size=1, max_size=4 if row.many else 1))
    return Condition(row, tuple(values))


@st.composite
def queries(draw: st.DrawFn, asker: Asker) -> Query:
    names = draw(st.lists(st.sampled_from(list(FILTERS)), max_size=3))
    keys = st.builds(Sort, st.sampled_from(list(SORTS)), st.booleans())
    return Query(
        project=draw(st.sampled_from([A, A, B])),
        conditions=tuple(draw(conditions(asker, name)) for name in names),
        sort=tuple(draw(st.lists(keys, max_size=3))),
        limit=EVERYTHING,
        total=draw(st.booleans()),
    )
