"""What is made past its constructor has all of its fields."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ledger import events
from ledger.commands import Command, Write
from ledger.job import evolve
from ledger.plan import plan
from ledger.store import results
from tests.histories import ANN, JOB, START, job_after


def test_nothing_is_left_out() -> None:
    before = job_after(events.Queued())
    write = Write((Command(JOB, events.Started(), ANN._replace(project=before.project)),))
    unit = plan(write, {JOB: before}, START, lambda: UUID(int=1), lambda: 1)
    (entry,), (appended,) = unit.entries, results([unit], 0, START, None)
    recorded = entry.recorded(1, START)
    job = evolve(before, recorded)
    made: tuple[Any, ...] = (entry, appended, recorded, job, job.history[-1])
    assert [len(one) for one in made] == [len(one._fields) for one in made]
