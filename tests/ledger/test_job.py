"""How events fold into a job: each field, from each event that moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ledger import events
from ledger.events import EVENTS, FailureKind, Message
from ledger.job import FAILURES, REMARKS, TRANSITIONS, State, Stay, evolve, fold
from tests.histories import ANN, CREATED, JOB, START, job_after, past

LONG_AGO = datetime(2014, 5, 6, 7, 8, 9, tzinfo=UTC)
IMPORTED = ANN._replace(imported=True)


def test_the_tables_cover_every_state_and_name_only_events_that_exist() -> None:
    assert set(TRANSITIONS) == {None, *State}
    moves = {topic for moves in TRANSITIONS.values() for topic in moves}
    assert moves | set(REMARKS) == set(EVENTS) - {"job.erased"}
    assert not {topic for moves in TRANSITIONS.values() for topic in moves} & set(REMARKS)
    assert set(FAILURES) == {state for state in State if "job.failed" in TRANSITIONS[state]}


def test_a_created_job_is_what_was_asked_for() -> None:
    asked = events.Created(
        type="VirtualServer",
        owner="ann",
        number=7,
        command="Add",
        object="web1",
        request_id="r-9",
        source_id="s-9",
        description="a server",
        detail={"b": 1, "a": [None, {"x": 1.5}]},
        messages=(Message(code=3, message="queued late"),),
    )
    job = fold(past(asked))
    assert job is not None
    assert (job.id, job.project, job.number, job.type, job.owner) == (
        *(JOB, "demo", 7, "VirtualServer", "ann"),
    )
    assert (job.command, job.object, job.request_id, job.source_id, job.description) == (
        *("Add", "web1", "r-9", "s-9", "a server"),
    )
    assert job.detail == {"b": 1, "a": [None, {"x": 1.5}]}
    assert list(job.detail) == ["b", "a"]
    assert (job.state, job.version, job.position, job.attempts) == (State.CREATED, 1, 1, 0)
    assert (job.created_at, job.updated_at, job.started_at, job.ended_at) == (
        *(START, START, None, None),
    )
    assert job.messages == asked.messages
    assert job.history == (Stay(1, 1, State.CREATED, START, START, "ann"),)


def test_a_whole_life() -> None:
    job = job_after(
        events.Queued(),
        events.Started(),
        events.Progressed(progress=0.25),
        events.Noted(messages=(Message(message="half way"),)),
        events.Succeeded(messages=(Message(code=1, message="done"),)),
    )
    assert [stay.state for stay in job.history] == ["Created", "Queued", "Processing", "Succeeded"]
    assert [stay.version for stay in job.history] == [1, 2, 3, 6]
    assert (job.version, job.position, job.attempts, job.progress) == (6, 6, 1, 1.0)
    assert [message.message for message in job.messages] == ["half way", "done"]
    assert job.started_at == START + timedelta(seconds=2)
    assert job.ended_at == job.updated_at == START + timedelta(seconds=5)
    assert job.ended_by == "ann"
    assert job.absorbed


def test_a_retry_counts_an_attempt_and_starts_over() -> None:
    failed = job_after(
        events.Started(),
        events.Progressed(progress=0.5),
        events.Failed(final=False, error_count=2),
    )
    assert (failed.state, failed.final, failed.kind) == (State.FAILED, False, FailureKind.EXCEPTION)
    assert (failed.attempts, failed.progress, failed.error_count) == (1, 0.5, 2)
    assert (failed.ended_at, failed.ended_by, failed.absorbed) == (None, None, False)
    again = fold(
        past(
            *(CREATED, events.Started(), events.Progressed(progress=0.5)),
            *(events.Failed(final=False, error_count=2), events.Queued(), events.Started()),
        )
    )
    assert again is not None
    assert (again.attempts, again.progress, again.kind, again.final) == (2, 0.0, None, False)
    assert again.started_at == failed.started_at
    assert [stay.final for stay in again.history] == [False] * 5
    assert again.history[2].kind is FailureKind.EXCEPTION


@pytest.mark.parametrize("kind", FailureKind)
def test_a_final_failure_says_how(kind: FailureKind) -> None:
    before = () if kind is FailureKind.REJECTED else (events.Started(),)
    job = job_after(*before, events.Failed(kind=kind))
    assert (job.state, job.kind, job.final, job.absorbed) == (State.FAILED, kind, True, True)
    assert (job.history[-1].kind, job.history[-1].final) == (kind, True)
    assert job.ended_at == job.updated_at
    # What ran to its end with bad items is complete, what broke is not.
    assert job.progress == (1.0 if kind is FailureKind.ITEM_ERRORS else 0.0)


def test_a_failure_made_final_later_ends_the_job() -> None:
    job = job_after(events.Started(), events.Failed(final=False), events.Failed())
    assert (job.final, job.absorbed, job.ended_at) == (True, True, START + timedelta(seconds=3))
    assert [stay.final for stay in job.history] == [False, False, False, True]


def test_items_are_totals_not_increments() -> None:
    job = job_after(
        events.Started(),
        events.ItemsReported(total=10, succeeded=2, failed=1),
        events.ItemsReported(succeeded=4, failed=1, error_count=9),
    )
    assert (job.items_total, job.items_succeeded, job.items_failed) == (10, 4, 1)
    assert job.error_count == 9
    # A report without a total cannot say how far the job is.
    assert job.progress == 0.3
    assert job_after(events.Started(), events.ItemsReported(failed=3)).error_count == 3


@pytest.mark.parametrize(
    ("total", "done", "progress"), [(4, 1, 0.25), (4, 4, 1.0), (4, 9, 1.0), (0, 0, 0.0)]
)
def test_items_move_progress_and_never_past_its_end(total: int, done: int, progress: float) -> None:
    job = job_after(events.Started(), events.ItemsReported(total=total, succeeded=done))
    assert job.progress == progress


def test_a_claimed_time_is_believed_before_our_clock() -> None:
    claimed = ANN._replace(occurred_at=LONG_AGO)
    job = fold(past((CREATED, claimed), (events.Started(), claimed), events.Queued()))
    assert job is not None
    assert (job.created_at, job.started_at) == (LONG_AGO, LONG_AGO)
    assert job.history[0].at == LONG_AGO
    assert job.history[0].recorded_at == START
    assert job.updated_at == START + timedelta(seconds=2)


def test_an_imported_entry_without_a_time_has_none() -> None:
    job = fold(past((CREATED, IMPORTED), (events.Started(), IMPORTED)))
    assert job is not None
    assert [stay.at for stay in job.history] == [None, None]
    assert [stay.recorded_at for stay in job.history] == [START, START + timedelta(seconds=1)]
    assert job.started_at is None
    # A job must have been created at some time, and this is all that is known.
    assert (job.created_at, job.updated_at) == (START, START)


def test_created_at_of_the_source_wins_over_the_entry() -> None:
    asked = CREATED.model_copy(update={"created_at": LONG_AGO})
    job = fold(past((asked, IMPORTED)))
    assert job is not None
    assert (job.created_at, job.updated_at) == (LONG_AGO, LONG_AGO)
    job = fold(past((asked, ANN._replace(occurred_at=LONG_AGO + timedelta(days=1)))))
    assert job is not None
    assert (job.created_at, job.updated_at) == (LONG_AGO, LONG_AGO + timedelta(days=1))


def test_an_entry_keeps_its_note_its_actor_and_its_number_at_the_source() -> None:
    said = ANN._replace(actor="bob", note="by hand", source_id="4711")
    stay = job_after((events.Queued(), said)).history[-1]
    assert (stay.actor, stay.note, stay.source_id) == ("bob", "by hand", "4711")


def test_a_note_after_the_end_changes_nothing_but_version_time_and_messages() -> None:
    ended = job_after(events.Canceled())
    noted = job_after(events.Canceled(), events.Noted(messages=(Message(message="late"),)))
    assert noted == ended._replace(
        version=3, position=3, updated_at=noted.updated_at, messages=noted.messages
    )
    assert noted.updated_at == START + timedelta(seconds=2)


def test_history_that_breaks_todays_rules_still_folds() -> None:
    """A log outlives its rules: what happened, happened."""
    job = job_after(events.Succeeded(), events.Started(), events.Canceled(), events.Queued())
    assert [stay.state for stay in job.history] == [
        *("Created", "Succeeded", "Processing", "Canceled", "Queued"),
    ]
    assert job.state is State.QUEUED
    assert (job.ended_at, job.ended_by) == (None, None)


def test_a_history_that_does_not_begin_is_no_job() -> None:
    with pytest.raises(AssertionError, match=r"before job\.created"):
        evolve(None, past(CREATED, events.Queued())[1])


def test_jobs_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        job_after().state = State.QUEUED  # type: ignore[misc]


def test_folding_nothing_makes_nothing() -> None:
    assert fold([]) is None
    job = job_after(events.Queued())
    assert fold([], job) is job


def test_recorded_speaks_the_librarys_protocol() -> None:
    recorded = past(CREATED)[0]
    assert (recorded.originator_id, recorded.originator_version) == (UUID(int=1), 1)
