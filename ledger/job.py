"""A job: its states, which moves they allow, and how events fold into it.

Invariants: `TRANSITIONS` is the only list of legal moves; `evolve` never refuses, since history already happened; a Job is immutable.
Units: progress is a fraction 0..1, version counts from 1 within one job, position from 1 across the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NewType
from uuid import UUID

from ledger import events
from ledger.events import FailureKind, Json, Message, Recorded
from ledger.made import made

JobId = NewType("JobId", UUID)


class State(StrEnum):
    """Where a job stands. The names are those of the card and of GoGrid's wire format."""

    CREATED = "Created"
    QUEUED = "Queued"
    PROCESSING = "Processing"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


class Outcome(StrEnum):
    """A state, with Failed told apart: what dialects with more or fewer states than ours are made from."""

    CREATED = "Created"
    QUEUED = "Queued"
    PROCESSING = "Processing"
    SUCCEEDED = "Succeeded"
    RETRYING = "Retrying"
    REJECTED = "Rejected"
    INCOMPLETE = "Incomplete"
    EXHAUSTED = "Exhausted"
    FAILED = "Failed"
    CANCELED = "Canceled"


class Phase(StrEnum):
    """How far a job is for somebody who waits for it: nothing done yet, going on (retries too), done, or over without having been done."""

    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    FAILED = "failed"


TRANSITIONS: Mapping[State | None, Mapping[str, State]] = MappingProxyType(
    {
        None: {"job.created": State.CREATED},
        State.CREATED: {
            "job.queued": State.QUEUED,
            "job.started": State.PROCESSING,
            "job.failed": State.FAILED,
            "job.canceled": State.CANCELED,
        },
        State.QUEUED: {
            "job.started": State.PROCESSING,
            "job.failed": State.FAILED,
            "job.canceled": State.CANCELED,
        },
        State.PROCESSING: {
            "job.succeeded": State.SUCCEEDED,
            "job.failed": State.FAILED,
            "job.canceled": State.CANCELED,
        },
        # Only while the failure is not final: a final one absorbs, as Succeeded and Canceled do.
        State.FAILED: {
            "job.queued": State.QUEUED,
            "job.started": State.PROCESSING,
            "job.failed": State.FAILED,
            "job.canceled": State.CANCELED,
        },
        State.SUCCEEDED: {},
        State.CANCELED: {},
    }
)

# Which kinds of failure a state may end in: only what was never queued can be rejected, only what ran has item errors.
FAILURES: Mapping[State, frozenset[FailureKind]] = MappingProxyType(
    {
        State.CREATED: frozenset({FailureKind.REJECTED}),
        State.QUEUED: frozenset({FailureKind.EXCEPTION}),
        State.PROCESSING: frozenset({FailureKind.EXCEPTION, FailureKind.ITEM_ERRORS}),
        State.FAILED: frozenset({FailureKind.EXCEPTION}),
    }
)

# Events that keep the state, and the states in which they may happen.
REMARKS: Mapping[str, frozenset[State]] = MappingProxyType(
    {
        "job.progressed": frozenset({State.PROCESSING}),
        "job.items_reported": frozenset({State.PROCESSING}),
        "job.noted": frozenset(State),
    }
)
STAYS: Final = frozenset(REMARKS) | {"job.erased"}  # which changes bodies, not the fold

# By names of their own: an enum looks its members up at each mention, and every fold mentions these.
_PROCESSING, _SUCCEEDED = State.PROCESSING, State.SUCCEEDED
_ENDS: Final = frozenset({State.SUCCEEDED, State.CANCELED})


class Stay(NamedTuple):
    """One entry of the history: a state the job entered.

    `at` is None only for an imported entry whose source gave no time. `source_id` is its number at its source."""

    position: int
    version: int
    state: State
    at: datetime | None
    recorded_at: datetime
    actor: str
    note: str | None = None
    source_id: str | None = None
    kind: FailureKind | None = None
    final: bool = False


class Job(NamedTuple):
    """All that the log says of one job up to `version`, the last event at `position`."""

    id: JobId
    number: int
    project: str
    type: str
    owner: str
    created_at: datetime
    updated_at: datetime
    state: State = State.CREATED
    version: int = 1
    position: int = 0
    command: str | None = None
    object: str | None = None
    request_id: str | None = None
    source_id: str | None = None
    description: str | None = None
    detail: Mapping[str, Json] | None = None
    attempts: int = 0
    progress: float = 0.0
    error_count: int = 0
    messages: tuple[Message, ...] = ()
    items_total: int | None = None
    items_succeeded: int = 0
    items_failed: int = 0
    kind: FailureKind | None = None
    final: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    history: tuple[Stay, ...] = ()

    @property
    def absorbed(self) -> bool:
        """Whether the job has come to its end: no event but a note can change it any more."""
        return self.final or self.state in _ENDS

    @property
    def outcome(self) -> Outcome:
        """The state, with Failed told apart: to be retried, rejected, with bad items, after earlier failures, or at once."""
        if self.state is not State.FAILED:
            return Outcome(self.state.value)
        if not self.final:
            return Outcome.RETRYING
        if self.kind is FailureKind.REJECTED:
            return Outcome.REJECTED
        if self.kind is FailureKind.ITEM_ERRORS:
            return Outcome.INCOMPLETE
        failures = sum(stay.state is State.FAILED for stay in self.history)
        return Outcome.EXHAUSTED if failures > 1 else Outcome.FAILED

    @property
    def phase(self) -> Phase:
        """How far the job is for somebody who waits for it."""
        if not self.absorbed:
            waits = self.state in (State.CREATED, State.QUEUED)
            return Phase.ACKNOWLEDGED if waits else Phase.IN_PROGRESS
        return Phase.COMPLETED if self.state is State.SUCCEEDED else Phase.FAILED


def evolve(job: Job | None, recorded: Recorded) -> Job:
    """Fold one event into a job. Any order of legal events gives one result; nothing is refused."""
    event, at = recorded.event, recorded.at
    # By its exact type, which is one of EVENTS: to ask pydantic's metaclass takes as long as the rest of a branch.
    if type(event) is events.Created:
        return _created(event, recorded, at)
    assert job is not None, f"{recorded.topic} at {recorded.position} comes before job.created"
    topic = event.TOPIC
    if topic not in STAYS:
        return _entered(job, recorded, TRANSITIONS[job.state].get(topic) or _LANDS[topic], at)
    changes: dict[str, Any] = {}
    if type(event) is events.Progressed:
        changes = {"progress": event.progress}
    elif type(event) is events.ItemsReported:
        changes = _items_reported(job, event)
    changes["version"], changes["position"] = recorded.version, recorded.position
    changes["updated_at"] = at or job.updated_at
    if event.messages:
        changes["messages"] = job.messages + event.messages
    return _changed(job, changes)


def fold(history: tuple[Recorded, ...] | list[Recorded], job: Job | None = None) -> Job | None:
    """Fold events of one job, in version order, onto `job` (None: from the start)."""
    for recorded in history:
        job = evolve(job, recorded)
    return job


# Where each transition lands, whatever came before: evolve reads this when a log breaks today's TRANSITIONS.
_LANDS: Mapping[str, State] = {
    topic: state for moves in TRANSITIONS.values() for topic, state in moves.items()
}


def _created(event: events.Created, recorded: Recorded, at: datetime | None) -> Job:
    assert event.number is not None, "decide gives every job a number"
    created_at = event.created_at or at or recorded.recorded_at
    return Job(
        JobId(recorded.job_id), event.number, recorded.project, event.type, event.owner, created_at, at or created_at,
        State.CREATED, recorded.version, recorded.position,
        event.command, event.object, event.request_id, event.source_id, event.description, event.detail,
        messages=event.messages,
        history=(_stay(recorded, State.CREATED, at),),
    )  # fmt: skip


_PLACES: Final = {name: nth for nth, name in enumerate(Job._fields)}


def _changed(job: Job, changes: Mapping[str, Any]) -> Job:
    """What the tuple's own _replace does, in half its time: it looks every field up, and a fold does little else."""
    values = list(job)
    for name, value in changes.items():
        values[_PLACES[name]] = value
    return Job._make(values)


def _items_reported(job: Job, event: events.ItemsReported) -> dict[str, Any]:
    done = event.succeeded + event.failed
    return {
        "items_total": event.total if event.total is not None else job.items_total,
        "items_succeeded": event.succeeded,
        "items_failed": event.failed,
        "error_count": event.failed if event.error_count is None else event.error_count,
        "progress": min(1.0, done / event.total) if event.total else job.progress,
    }


# What stays as it was when a job enters a state, by the places of its fields.
_WHOSE: Final = slice(_PLACES["created_at"] + 1)
_WHAT: Final = slice(_PLACES["command"], _PLACES["detail"] + 1)
_ITEMS: Final = slice(_PLACES["items_total"], _PLACES["items_failed"] + 1)


def _entered(job: Job, recorded: Recorded, state: State, at: datetime | None) -> Job:
    """The job in a new state, field by field: most events come here, and to change some by name takes twice as long."""
    before: tuple[Any, ...] = job
    event = recorded.event
    kind, final, count = None, False, None
    if type(event) is events.Failed:
        kind, final, count = event.kind, event.final, event.error_count
    runs = state is _PROCESSING
    ended = final or state in _ENDS
    complete = state is _SUCCEEDED or (final and kind is FailureKind.ITEM_ERRORS)
    return made(Job, (
        *before[_WHOSE], at or job.updated_at, state, recorded.version, recorded.position,
        *before[_WHAT], job.attempts + runs,
        1.0 if complete else 0.0 if runs else job.progress,
        job.error_count if count is None else count,
        job.messages + event.messages if event.messages else job.messages,
        *before[_ITEMS], kind, final,
        job.started_at or (at if runs else None),
        at if ended else None,
        recorded.envelope.actor if ended else None,
        (*job.history, _stay(recorded, state, at, kind, final)),
    ))  # fmt: skip


def _stay(recorded: Recorded, state: State, at: datetime | None, kind: FailureKind | None = None, final: bool = False) -> Stay:  # fmt: skip
    said = recorded.envelope
    return made(Stay, (
        recorded.position, recorded.version, state, at, recorded.recorded_at, said.actor, said.note, said.source_id, kind, final
    ))  # fmt: skip
