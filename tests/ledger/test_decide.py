"""What may happen to a job: every state by every event, and the refusals' own words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ledger import events
from ledger.commands import Command
from ledger.decide import CLAIM_AHEAD_MAX, decide
from ledger.errors import (
    Conflict,
    IdentityTaken,
    IllegalTransition,
    Invalid,
    LedgerError,
    UnknownJob,
)
from ledger.events import EVENTS, Envelope, Erased, Event, FailureKind
from ledger.job import TRANSITIONS, Job, State, fold
from tests.histories import ANN, CREATED, JOB, START, job_after, past

NOW = START + timedelta(hours=1)

# Each place a job can stand, and how it came there. Failed stands twice: it may or may not be final.
PLACES: dict[str, Job] = {
    "Created": job_after(),
    "Queued": job_after(events.Queued()),
    "Processing": job_after(events.Started()),
    "Succeeded": job_after(events.Started(), events.Succeeded()),
    "Retryable": job_after(events.Started(), events.Failed(final=False)),
    "Failed": job_after(events.Started(), events.Failed()),
    "Canceled": job_after(events.Canceled()),
}

# Said by hand and apart from TRANSITIONS: where each event leads; "." keeps the state, "=" is the same end again, "-" is refused.
MATRIX = """
            queued  started     progressed noted items_reported succeeded failed  canceled
Created     Queued  Processing  -          .     -              -         -       Canceled
Queued      -       Processing  -          .     -              -         Failed  Canceled
Processing  -       -           .          .     .              Succeeded Failed  Canceled
Succeeded   -       -           -          .     -              =         -       -
Retryable   Queued  Processing  -          .     -              -         Failed  Canceled
Failed      -       -           -          .     -              -         =       -
Canceled    -       -           -          .     -              -         -       =
"""
_head, *_rows = (line.split() for line in MATRIX.strip().splitlines())
CELLS = [(row[0], verb, cell) for row in _rows for verb, cell in zip(_head, row[1:], strict=True)]

# Which failures each place allows: kind and whether it is final.
ALLOWED_FAILURES = {
    "Created": {("rejected", True)},
    "Queued": {("exception", True), ("exception", False)},
    "Processing": {("exception", True), ("exception", False), ("item_errors", True)},
    "Retryable": {("exception", True)},
}


def made(verb: str) -> Event:
    given = {"progress": 0.5} if verb == "progressed" else {}
    return EVENTS[f"job.{verb}"].model_validate(given)


def command(event: Event, envelope: Envelope = ANN, if_version: int | None = None) -> Command:
    return Command(JOB, event, envelope, if_version)


def after(job: Job, decided: tuple[Event, ...]) -> Job:
    said = past(*(CREATED for _ in range(job.version)), *decided)
    folded = fold(said[job.version :], job)
    assert folded is not None
    return folded


def test_the_matrix_is_whole() -> None:
    assert {f"job.{verb}" for verb in _head} == set(EVENTS) - {"job.created", "job.erased"}
    assert {row[0] for row in _rows} == set(PLACES)
    assert {job.state for job in PLACES.values()} == set(State)


def test_only_an_import_may_say_that_values_were_erased() -> None:
    erased = Erased(reason="asked to")
    for job in PLACES.values():
        with pytest.raises(Invalid, match="jobledger erase"):
            decide(job, command(erased), NOW)
        assert decide(job, command(erased, ANN._replace(imported=True)), NOW) == (erased,)


def test_the_table_of_transitions_says_the_same() -> None:
    """Its readers need not know that an end absorbs, or that a final failure does."""
    moves: dict[State, dict[str, State]] = {state: {} for state in State}
    for place, verb, cell in CELLS:
        if place != "Failed" and cell in set(State):
            moves[PLACES[place].state][f"job.{verb}"] = State(cell)
    # The one failure of a job that was never queued is that it was rejected.
    moves[State.CREATED]["job.failed"] = State.FAILED
    assert {state: dict(to) for state, to in TRANSITIONS.items() if state} == moves
    assert TRANSITIONS[None] == {"job.created": State.CREATED}


@pytest.mark.parametrize(("place", "verb", "cell"), CELLS)
def test_every_state_by_every_event(place: str, verb: str, cell: str) -> None:
    job, event = PLACES[place], made(verb)
    if cell == "-":
        with pytest.raises(IllegalTransition) as refusal:
            decide(job, command(event), NOW)
        assert (refusal.value.version, refusal.value.state) == (job.version, job.state.value)
        return
    decided = decide(job, command(event), NOW)
    if cell == "=":
        assert decided == ()
        return
    assert decided == (event,)
    assert after(job, decided).state == (job.state if cell == "." else cell)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", FailureKind)
@pytest.mark.parametrize("final", [True, False])
def test_every_failure_in_every_state(place: str, kind: FailureKind, final: bool) -> None:
    job, event = PLACES[place], events.Failed(kind=kind, final=final)
    if (kind.value, final) in ALLOWED_FAILURES.get(place, set()):
        assert decide(job, command(event), NOW) == (event,)
    elif place == "Failed" and kind is FailureKind.EXCEPTION and final:
        assert decide(job, command(event), NOW) == ()
    else:
        with pytest.raises((IllegalTransition, Invalid)):
            decide(job, command(event), NOW)


@pytest.mark.parametrize("kind", FailureKind)
def test_only_the_same_failure_again_is_the_same_end(kind: FailureKind) -> None:
    before = () if kind is FailureKind.REJECTED else (events.Started(),)
    ended = job_after(*before, events.Failed(kind=kind))
    for other in FailureKind:
        if other is kind:
            assert decide(ended, command(events.Failed(kind=other)), NOW) == ()
        else:
            with pytest.raises(IllegalTransition, match=r"Failed, which is its end, cannot"):
                decide(ended, command(events.Failed(kind=other)), NOW)
    with pytest.raises(IllegalTransition):
        decide(ended, command(events.Failed(kind=kind, final=False)), NOW)


def test_refusals_are_sentences_with_code_and_hint() -> None:
    with pytest.raises(IllegalTransition) as refusal:
        decide(PLACES["Succeeded"], command(events.Queued()), NOW)
    assert str(refusal.value) == "A job that is Succeeded, which is its end, cannot be queued."
    assert refusal.value.code == "illegal_transition"
    assert refusal.value.hint.endswith(".")
    with pytest.raises(IllegalTransition) as refusal:
        decide(PLACES["Queued"], command(events.Failed(kind=FailureKind.REJECTED)), NOW)
    assert str(refusal.value) == "A Queued job fails as exception, not as rejected."


def test_item_errors_cannot_be_tried_again() -> None:
    event = events.Failed(kind=FailureKind.ITEM_ERRORS, final=False)
    with pytest.raises(Invalid) as refusal:
        decide(PLACES["Processing"], command(event), NOW)
    assert refusal.value.field == "final"


def test_a_job_is_created_once() -> None:
    assert decide(None, command(CREATED), NOW) == (CREATED,)
    with pytest.raises(IdentityTaken) as refusal:
        decide(PLACES["Created"], command(CREATED), NOW)
    assert refusal.value.field == "id"
    with pytest.raises(Invalid):
        decide(None, command(events.Created(type="t", owner="o")), NOW)


@pytest.mark.parametrize("verb", _head)
def test_a_job_that_is_not_there_and_a_job_of_another_project_are_one_refusal(verb: str) -> None:
    sentences = set()
    stranger = ANN._replace(project="theirs")
    for job in (None, PLACES["Processing"], PLACES["Canceled"]):
        for version in (None, 1):
            with pytest.raises(UnknownJob) as refusal:
                decide(job, command(made(verb), stranger, version), NOW)
            sentences.add(str(refusal.value))
    assert len(sentences) == 1


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", _head)
def test_if_version_is_asked_before_anything_else(place: str, verb: str) -> None:
    job = PLACES[place]
    for other in (0, job.version - 1, job.version + 1):
        with pytest.raises(Conflict) as refusal:
            decide(job, command(made(verb), if_version=other), NOW)
        assert refusal.value.version == job.version
    assert outcome(job, command(made(verb), if_version=job.version)) == outcome(
        job, command(made(verb))
    )


def outcome(job: Job, asked: Command) -> object:
    try:
        return decide(job, asked, NOW)
    except LedgerError as error:
        return str(error)


def test_a_claim_may_lie_a_day_ahead_and_no_further() -> None:
    latest = NOW + CLAIM_AHEAD_MAX
    claimed = ANN._replace(occurred_at=latest)
    assert decide(PLACES["Created"], command(events.Queued(), claimed), NOW)
    too_late = ANN._replace(occurred_at=latest + timedelta(microseconds=1))
    for event in (events.Queued(), CREATED):
        with pytest.raises(Invalid) as refusal:
            decide(PLACES["Created"], command(event, too_late), NOW)
        assert refusal.value.field == "occurred_at"
