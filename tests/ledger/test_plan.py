"""What a write would append: entries, expected versions, numbers, and refusals that name the commands at fault."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest

from ledger import events, settings
from ledger.commands import Command, Key, Write
from ledger.errors import (
    BatchRefused,
    Conflict,
    Failure,
    IdentityTaken,
    IllegalTransition,
    Invalid,
    UnknownJob,
)
from ledger.events import Created, Envelope, Event
from ledger.job import Job, JobId, State, fold
from ledger.plan import plan, refused, taken
from ledger.store import Unit
from tests.histories import ANN, CREATED, JOB, START, job_after

NOW = START + timedelta(hours=1)
OTHER = UUID(int=2)
NAMELESS = Created(type="t", owner="o")


def write(*commands: tuple[UUID, Event], key: Key | None = None) -> Write:
    return Write(tuple(Command(job_id, event, ANN) for job_id, event in commands), key)


def planned(asked: Write, *jobs: Job, numbers: Callable[[], int] | None = None) -> Unit:
    ids = count(1)
    known = {UUID(bytes=job.id.bytes): job for job in jobs}
    draw = numbers or count(100).__next__
    return plan(asked, known, NOW, lambda: UUID(int=next(ids)), draw)


def standing(unit: Unit) -> dict[UUID, int]:
    """The version at which each job must stand."""
    return {entry.job_id: entry.version - 1 for entry in reversed(unit.entries)}


def test_a_new_job_starts_at_version_1_with_a_number() -> None:
    unit = planned(write((JOB, NAMELESS), key=Key("demo", "k", b"h")))
    (entry,) = unit.entries
    assert (entry.job_id, entry.version, entry.event_id) == (JOB, 1, UUID(int=1))
    assert entry.event == NAMELESS.model_copy(update={"number": 100})
    assert standing(unit) == {JOB: 0}
    assert unit.outcome == {"jobs": [[str(JOB), 1]]}


def test_commands_are_decided_on_top_of_each_other() -> None:
    unit = planned(
        write((JOB, CREATED), (JOB, events.Queued()), (JOB, events.Started())),
    )
    assert [entry.version for entry in unit.entries] == [1, 2, 3]
    assert standing(unit) == {JOB: 0}
    job = fold([entry.recorded(nth, NOW) for nth, entry in enumerate(unit.entries)])
    assert job is not None
    assert (job.state, job.version) == (State.PROCESSING, 3)


def test_two_jobs_in_one_write_keep_the_order_given() -> None:
    known = job_after(events.Started())._replace(id=JobId(OTHER))
    commands = (JOB, CREATED), (OTHER, events.Succeeded()), (JOB, events.Queued())
    unit = planned(write(*commands, key=Key("demo", "k", b"h")), known)
    assert [(entry.job_id, entry.version) for entry in unit.entries] == [
        *((JOB, 1), (OTHER, 3), (JOB, 2)),
    ]
    assert standing(unit) == {JOB: 0, OTHER: 2}
    assert unit.outcome == {"jobs": [[str(JOB), 2], [str(OTHER), 3]]}


def test_an_end_said_again_appends_nothing() -> None:
    ended = job_after(events.Canceled())
    key = Key("demo", "k", b"h")
    unit = planned(write((JOB, events.Canceled()), key=key), ended)
    assert (unit.entries, unit.key) == ((), key)
    assert unit.outcome == {"jobs": [[str(JOB), 2]]}


def test_a_refused_command_alone_is_raised_as_itself() -> None:
    with pytest.raises(UnknownJob):
        planned(write((JOB, events.Queued())))
    with pytest.raises(IllegalTransition):
        planned(write((JOB, events.Succeeded())), job_after())


def test_a_batch_names_each_command_at_fault_and_only_those() -> None:
    known = job_after(events.Started())._replace(id=JobId(OTHER))
    with pytest.raises(BatchRefused) as refusal:
        planned(
            write(
                *((JOB, CREATED), (OTHER, events.Queued()), (JOB, events.Queued())),
                *((UUID(int=3), events.Queued()), (OTHER, events.Succeeded())),
            ),
            known,
        )
    assert [(f.index, type(f.error)) for f in refusal.value.failures] == [
        *((1, IllegalTransition), (3, UnknownJob)),
    ]
    assert "index 1, 3" in str(refusal.value)


def test_if_version_in_a_batch_counts_the_batch_so_far() -> None:
    queued = Command(JOB, events.Queued(), ANN)
    asked = Write((queued, Command(JOB, events.Started(), ANN, if_version=2)))
    assert [entry.version for entry in planned(asked, job_after()).entries] == [2, 3]
    stale = Write((queued, Command(JOB, events.Started(), ANN, if_version=1)))
    with pytest.raises(BatchRefused) as refusal:
        planned(stale, job_after())
    assert isinstance(refusal.value.failures[0].error, Conflict)


def test_an_event_too_large_names_its_command() -> None:
    huge = Created(type="t", owner="o", detail={"a": "x" * settings.EVENT_BYTES_MAX})
    with pytest.raises(BatchRefused) as refusal:
        planned(write((JOB, CREATED), (OTHER, huge)))
    (failure,) = refusal.value.failures
    assert (failure.index, type(failure.error)) == (1, Invalid)


@pytest.mark.parametrize(
    ("kind", "value"), [("number", 7), ("request_id", "r"), ("source_id", "s")]
)
def test_two_jobs_of_a_write_cannot_share_an_identity(kind: str, value: object) -> None:
    named = NAMELESS.model_copy(update={kind: value})
    with pytest.raises(BatchRefused) as refusal:
        planned(write((JOB, named), (OTHER, NAMELESS), (UUID(int=3), named)))
    (failure,) = refusal.value.failures
    assert failure.index == 2
    assert isinstance(failure.error, IdentityTaken)
    assert failure.error.field == kind


def test_a_drawn_number_gives_way_to_one_that_the_write_names() -> None:
    drawn = iter([5, 6, 7, 8])
    unit = planned(
        write(
            *((JOB, NAMELESS), (OTHER, NAMELESS.model_copy(update={"number": 6}))),
            *((UUID(int=3), NAMELESS), (UUID(int=4), NAMELESS.model_copy(update={"number": 5}))),
        ),
        numbers=drawn.__next__,
    )
    events_ = [entry.event for entry in unit.entries]
    assert [e.number for e in events_ if isinstance(e, Created)] == [7, 6, 8, 5]


def test_taken_names_the_commands_and_only_what_the_client_gave() -> None:
    holders = {("number", "100"): OTHER, ("request_id", "r"): OTHER}
    asked = write(
        *((JOB, NAMELESS), (UUID(int=3), NAMELESS.model_copy(update={"number": 100}))),
        (UUID(int=4), NAMELESS.model_copy(update={"number": 101, "request_id": "r"})),
    )
    failures = taken(asked, holders)
    assert [f.index for f in failures] == [1, 2]
    errors = [f.error for f in failures if isinstance(f.error, IdentityTaken)]
    assert [(e.field, e.holder) for e in errors] == [("number", OTHER), ("request_id", OTHER)]
    # The number of the first command was drawn by us: that it is taken is no fault of the client's.
    assert taken(write((JOB, NAMELESS)), holders) == []


def test_one_command_is_refused_as_itself_and_several_as_a_batch() -> None:
    error = Invalid("no")
    assert refused(write((JOB, CREATED)), [Failure(0, error)]) is error
    several = refused(write((JOB, CREATED), (OTHER, CREATED)), [Failure(1, error)])
    assert isinstance(several, BatchRefused)


def test_an_envelope_that_cannot_be_stored_is_refused_before_it_is_sent() -> None:
    bad = Envelope(project="demo", actor="ann", note="\x00")
    with pytest.raises(Invalid):
        planned(Write((Command(JOB, CREATED, bad),)))
