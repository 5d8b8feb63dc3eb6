"""The counts that job_counts must have after a log, by definition: from jobs folded by ledger.job, counted one by one.

Units: positions, seconds of a span of creation times, microseconds since the year 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from ledger import settings
from ledger.events import Recorded
from ledger.job import Job, State, evolve
from projections import spans

BEGAN: Final = datetime(1, 1, 1, tzinfo=UTC)  # where spans of creation times begin


class Place(NamedTuple):
    """What is counted: jobs of a kind, or those of a span of creation times."""

    project: str
    span_s: int
    span_upto: int
    type: str
    command: str


STATES: Final = tuple(state.value.lower() for state in State)
COLUMNS: Final = (*Place._fields, "upto", "latest", *STATES)


def places(job: Job) -> Iterator[Place]:
    """Where a job is counted."""
    yield Place(job.project, 0, 0, job.type, job.command or "")
    for span_s in spans.SPANS_S:
        span = timedelta(seconds=span_s)
        upto = ((job.created_at - BEGAN) // span + 1) * span // timedelta(microseconds=1)
        yield Place(job.project, span_s, upto, "", "")


def counts(log: Iterable[Recorded]) -> list[tuple[object, ...]]:
    """How many jobs there were in each place at the end of each stretch in which one came or left, in the order of the table's key."""
    jobs: dict[UUID, Job] = {}
    now: dict[Place, Counter[State]] = {}
    found: dict[Place, dict[int, tuple[int, ...]]] = {}
    for one in log:
        before = jobs.get(one.job_id)
        job = jobs[one.job_id] = evolve(before, one)
        if before is not None and len(before.history) == len(job.history):
            continue
        upto = -(-one.position // settings.COUNTS_STRETCH) * settings.COUNTS_STRETCH
        for place in places(job):
            many = now.setdefault(place, Counter())
            many[job.state] += 1
            if before is not None:
                many[before.state] -= 1
            found.setdefault(place, {})[upto] = tuple(many[state] for state in State)
    return [
        (*place, upto, upto == max(found[place]), *many)
        for place in sorted(found, key=_order)
        for upto, many in found[place].items()
    ]


def _order(place: Place) -> tuple[object, ...]:
    return tuple(word.encode() if isinstance(word, str) else word for word in place)
