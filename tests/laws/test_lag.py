"""Answers while read models stand at different positions: each job still equals the fold of its log, at the position that the answer names.

Invariants: positions are arranged by folding up to them, so no test waits or hopes; the read models are put back at the end."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from ledger import settings
from ledger.job import Job
from projections import query
from projections.filters import FILTERS, Condition
from projections.question import Named, Query, Tally
from tests.fix_jobs import A, B, fold
from tests.fix_questions import EVERYTHING, Asker, laws


def in_project(jobs: dict[UUID, Job], project: str) -> tuple[Job, ...]:
    return tuple(
        sorted((job for job in jobs.values() if job.project == project), key=lambda job: job.number)
    )


STANDS = st.tuples(*(st.floats(0, 1) for _ in range(3)))


@pytest.fixture(scope="module")
def lagging_asker(asker: Asker) -> Iterator[Asker]:
    yield asker
    fold(asker.ledger)


@effort(laws, max_examples=12)
@given(STANDS)
@example((0.0, 0.0, 0.0))
@example((0.9, 0.1, 0.2))
@example((0.3, 1.0, 0.8))
@example((0.6, 0.0, 0.6))
def test_an_answer_is_of_one_position(
    lagging_asker: Asker, stands: tuple[float, float, float]
) -> None:
    ledger = lagging_asker.ledger
    jobs, job_states, job_counts = (round(stand * len(ledger.log)) for stand in stands)
    fold(ledger, jobs=jobs, job_states=job_states, job_counts=job_counts)
    connection = lagging_asker.connection
    for project in (A, B):
        expected = in_project(ledger.jobs(jobs), project)
        page = lagging_asker.find(Query(project, limit=EVERYTHING, total=True))
        assert page.jobs == expected
        assert page.position == jobs
        assert page.total == len(expected)
        failed = Condition(FILTERS["state"], ("Failed", "Queued"))
        page = lagging_asker.find(Query(project, (failed,), total=True))
        assert page.total == len([job for job in expected if job.state in failed.values])
        ids = tuple(job.id for job in expected)
        assert lagging_asker.run(query.named(connection, Named(project, ids=ids))) == expected
        counts = lagging_asker.run(query.tally(connection, Tally(project)))
        assert counts.position == job_counts
        counted = sum(count.jobs for count in counts.counts)
        assert counted == len(in_project(ledger.jobs(job_counts), project))


def test_a_large_total_is_the_counters(
    lagging_asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = lagging_asker.ledger
    half = len(ledger.log) // 2
    fold(ledger, job_counts=half)
    known = len(in_project(ledger.jobs(half), A))
    for most, total in ((known, len(in_project(ledger.jobs(), A))), (known - 1, known)):
        monkeypatch.setattr(settings, "COUNT_EXACTLY_MAX", most)
        assert lagging_asker.find(Query(A, total=True)).total == total
