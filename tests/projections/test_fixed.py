"""Fixed columns: what goes together is what jobs say of themselves, and an order without them gives the same pages."""

from __future__ import annotations

import pytest
from hypothesis import given

from ledger.events import Recorded
from ledger.job import Outcome, Phase, State, fold
from projections import statement
from projections.filters import FILTERS, Condition, Sort
from projections.fixed import STANDS, columns
from projections.question import After, Query
from tests.fix_questions import laws
from tests.histories import histories


@laws
@given(histories(jobs_max=1))
def test_what_goes_together_is_what_a_job_says(log: list[Recorded]) -> None:
    for end in range(1, len(log) + 1):
        job = fold(log[:end])
        assert job is not None
        assert STANDS[job.outcome] == (job.state, job.phase)


def test_every_outcome_stands_somewhere() -> None:
    assert set(STANDS) == set(Outcome)
    assert {state for state, _ in STANDS.values()} == set(State)
    assert {phase for _, phase in STANDS.values()} == set(Phase)


def asked(name: str, *words: str) -> Condition:
    return Condition(FILTERS[name], tuple(FILTERS[name].parse(word) for word in words))


@pytest.mark.parametrize(
    ("conditions", "fixed"),
    [
        ((), {}),
        ((asked("owner", "Queued"),), {}),
        ((asked("state", "Failed"),), {"state": "Failed"}),
        ((asked("state", "Queued"),), {"state": "Queued", "outcome": "Queued", "phase": "acknowledged"}),
        ((asked("outcome", "Rejected", "Incomplete"),), {"state": "Failed", "phase": "failed"}),
        ((asked("phase", "failed"), asked("state", "Failed")), {"state": "Failed", "phase": "failed"}),
        ((asked("state", "Queued"), asked("phase", "completed")), {}),
    ],
)  # fmt: skip
def test_which_columns_are_fixed(conditions: tuple[Condition, ...], fixed: dict[str, str]) -> None:
    assert columns(conditions) == fixed


def rows_of(query: Query) -> bytes:
    """The statement of a page behind what it tells: which rows, and in which order."""
    return statement.gathered(query, ("said",))[0].partition(b"FROM (SELECT * FROM")[2]


def test_an_order_does_without_them_but_for_a_foreign_cursor() -> None:
    queued, by_phase = (asked("state", "Queued"),), (Sort("phase", descending=True),)
    start = rows_of(Query("p", queued, by_phase))
    assert start == rows_of(Query("p", queued, (Sort("created", descending=True),)))
    mine = rows_of(Query("p", queued, by_phase, After(("acknowledged",), 7)))
    foreign = rows_of(Query("p", queued, by_phase, After(("completed",), 7)))
    assert b'"phase"' not in mine
    assert b'"phase"' in foreign
