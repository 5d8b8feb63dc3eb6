"""The counts that job_counts must have after a log, by definition: from jobs folded by ledger.job, counted one by one.

Units: positions, seconds of a span of creation times, microseconds since the year 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from ledger import settings
from ledger.events import Recorded
from ledger.job import Job, evolve
from projections import spans as counted

NOW: Final = 2**63 - 1  # up to where a count of now counts
BEGAN: Final = datetime(1, 1, 1, tzinfo=UTC)  # where spans of creation times begin
STATES: Final = ("created", "queued", "processing", "succeeded", "failed", "canceled")
# A count by its kind (project, type, command and state), the length of its span of creation times (0: of any) and up to where it counts.
Place = tuple[tuple[str, str, str, str], int, int]
Many = tuple[int | None, ...]


def spans(jobs: Iterable[Job]) -> dict[Place, Many]:
    """How many jobs were created in each span that is counted, and how they stand."""
    found: dict[Place, Counter[str]] = {}
    for job in jobs:
        for span_s in counted.SPANS_S:
            span = timedelta(seconds=span_s)
            upto = ((job.created_at - BEGAN) // span + 1) * span // timedelta(microseconds=1)
            place = (job.project, "", "", ""), span_s, upto
            found.setdefault(place, Counter())[job.state.value] += 1
    return {
        place: (many.total(), *(many[state.capitalize()] for state in STATES))
        for place, many in found.items()
    }


def counts(log: Iterable[Recorded]) -> dict[Place, Many]:
    """How many jobs of each kind there are now, and were at the end of each stretch in which one came or left."""
    jobs: dict[UUID, Job] = {}
    now: Counter[tuple[str, str, str, str]] = Counter()
    found: dict[Place, Many] = {}
    none = (None,) * len(STATES)
    for one in log:
        before = jobs.get(one.job_id)
        job = jobs[one.job_id] = evolve(before, one)
        if before is not None and len(before.history) == len(job.history):
            continue
        upto = -(-one.position // settings.COUNTS_STRETCH) * settings.COUNTS_STRETCH
        for moved, many in ((before, -1), (job, 1)):
            if moved is not None:
                kind = (moved.project, moved.type, moved.command or "", moved.state.value)
                now[kind] += many
                found[kind, 0, upto] = (now[kind], *none)
    return found | {(kind, 0, NOW): (many, *none) for kind, many in now.items() if many}
