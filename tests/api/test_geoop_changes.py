"""What a GeoOp status means: for a job in each state, and of a job in each outcome."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.geoop import GEOOP
from api.dialects.geoop.entry import entry
from api.dialects.geoop.models import ChangeIn, JobOut
from api.dialects.geoop.statuses import SHOWN
from api.operation import Resolve
from ledger import errors, events
from ledger.errors import BatchRefused, LedgerError
from ledger.events import Canceled, Event, Failed, FailureKind, Queued, Started, Succeeded
from ledger.job import Job, Outcome
from ledger.plan import plan
from tests.fix_geoop import NOW, asked, found, live, operation

CREATED = events.Created(number=157, type="VirtualServer", owner="ann", command="Create", object="web é", detail={"z": 1, "a": None})  # fmt: skip
ENDED = live(CREATED, Queued(), Started(), Failed(kind=FailureKind.ITEM_ERRORS, error_count=1))


JOBS: tuple[tuple[Job, Outcome, int], ...] = (
    (live(CREATED), Outcome.CREATED, 7),
    (live(CREATED, Queued()), Outcome.QUEUED, 1),
    (live(CREATED, Started()), Outcome.PROCESSING, 2),
    (live(CREATED, Started(), Failed(final=False)), Outcome.RETRYING, 2),
    (live(CREATED, Started(), Succeeded()), Outcome.SUCCEEDED, 3),
    (ENDED, Outcome.INCOMPLETE, 4),
    (live(CREATED, Started(), Failed()), Outcome.FAILED, 4),
    (
        live(CREATED, Started(), Failed(final=False), Queued(), Started(), Failed()),
        Outcome.EXHAUSTED,
        6,
    ),
    (live(CREATED, Failed(kind=FailureKind.REJECTED)), Outcome.REJECTED, 6),
    (live(CREATED, Canceled()), Outcome.CANCELED, 5),
)


@pytest.mark.parametrize(("job", "outcome", "status"), JOBS, ids=[str(row[1]) for row in JOBS])
def test_each_outcome_has_its_status(job: Job, outcome: Outcome, status: int) -> None:
    assert job.outcome is outcome
    shown = entry(job)
    assert shown["status"]["id"] == status
    if outcome is not Outcome.RETRYING:
        assert shown["history"][-1]["status"] == shown["status"]
    JobOut.model_validate({**shown, "messages": []})


def test_no_outcome_is_without_a_status() -> None:
    assert set(SHOWN) == set(Outcome) == {row[1] for row in JOBS}


def changed(job: Job, item: dict[str, Any]) -> list[Event] | type[LedgerError]:
    """The events of an item, or why there are none."""
    request = asked("PATCH", body={"id": job.number, **item})
    question = operation(request).ask(request)
    assert isinstance(question, Resolve)
    try:
        write = question.then(found(job))
    except BatchRefused as refused:
        return type(refused.failures[0].error)
    if write is None:
        return []
    assert write.commands[0].if_version == job.version
    return [command.event for command in write.commands]


ILLEGAL, INVALID = errors.IllegalTransition, errors.Invalid
REJECTED, EXCEPTION = Failed(kind=FailureKind.REJECTED), Failed()

# From which status (by its job above) to which -> what happens.
MOVES: tuple[tuple[int, int, Any], ...] = (
    (0, 7, []), (0, 1, [Queued()]), (0, 2, [Started()]), (0, 3, ILLEGAL), (0, 4, [REJECTED]), (0, 6, [REJECTED]), (0, 5, [Canceled()]),
    (1, 7, ILLEGAL), (1, 1, []), (1, 2, [Started()]), (1, 3, ILLEGAL), (1, 4, [EXCEPTION]), (1, 6, [EXCEPTION]), (1, 5, [Canceled()]),
    (2, 7, ILLEGAL), (2, 1, ILLEGAL), (2, 2, []), (2, 3, [Succeeded()]), (2, 4, [EXCEPTION]), (2, 6, [EXCEPTION]), (2, 5, [Canceled()]),
    (3, 7, ILLEGAL), (3, 1, [Queued()]), (3, 2, [Started()]), (3, 3, ILLEGAL), (3, 4, [EXCEPTION]), (3, 5, [Canceled()]),
    (4, 1, ILLEGAL), (4, 2, ILLEGAL), (4, 3, [Succeeded()]), (4, 4, ILLEGAL), (4, 5, ILLEGAL), (4, 6, ILLEGAL), (4, 7, ILLEGAL),
    (6, 1, ILLEGAL), (6, 3, ILLEGAL), (6, 4, [EXCEPTION]), (6, 5, ILLEGAL), (8, 6, [REJECTED]), (9, 5, [Canceled()]), (9, 3, ILLEGAL),
    (0, 0, INVALID), (0, 8, INVALID),
)  # fmt: skip


@pytest.mark.parametrize(("nth", "status", "expected"), MOVES)
def test_what_a_status_means_for_a_job(nth: int, status: int, expected: Any) -> None:
    assert changed(JOBS[nth][0], {"status": status}) == expected
    assert changed(JOBS[nth][0], {"status": {"id": status}}) == expected


def test_what_comes_with_a_status_comes_in_order() -> None:
    running = JOBS[2][0]
    assert changed(
        running, {"status": "Succeeded", "progress": 0.5, "items": {"total": 2}, "note": "x"}
    ) == [
        events.ItemsReported(total=2),
        events.Progressed(progress=0.5),
        Succeeded(),
    ]
    assert changed(JOBS[1][0], {"status": {"name": "Processing"}, "progress": 0}) == [
        Started(),
        events.Progressed(progress=0),
    ]
    message = {"message": "m"}
    assert changed(running, {"status": 2, "messages": [message]}) == [
        events.Noted(messages=(events.Message(message="m"),))
    ]
    final = {"status": 4, "final": False}
    assert changed(running, final) == [Failed(final=False)]
    nothing_good: tuple[dict[str, Any], ...] = (
        {}, {"kind": "exception"}, {"status": 3, "final": True}, {"status": 6, "final": False},
        {"status": {"id": 2, "name": "Queued"}}, {"status": "processing"}, {"status": {}}, {"status": None},
    )  # fmt: skip
    for item in nothing_good:
        assert changed(running, item) is INVALID, item


FIELDS = st.sampled_from(
    [*ChangeIn.model_json_schema()["properties"], "type", "detail", "jobs", "name", "sourceId"]
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-1, 9), st.just(157), st.floats(), st.text(max_size=4)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(FIELDS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["POST", "PATCH", "DELETE"]),
    st.sampled_from([None, "157", "8", "x"]),
    VALUES,
    st.sampled_from([row[0] for row in JOBS]),
)
def test_whatever_is_asked_is_saved_or_refused(
    method: str, number: str | None, body: Any, job: Job
) -> None:
    if number is not None and method == "POST":
        return
    request = asked(method, number, body)
    try:
        write = operation(request).ask(request).then(found(job))  # type: ignore[union-attr]
    except LedgerError as refused:
        status = GEOOP.fault(request, refused).status
        assert status in (400, 404, 422)
    else:
        if write is not None:
            unit = plan(write, {job.id: job}, NOW, lambda: UUID(int=9), lambda: 7)
            known = job.version if method != "POST" else 0
            assert [entry.version for entry in unit.entries] == list(
                range(known + 1, known + 1 + len(unit.entries))
            )
