"""Decisions: given a job and a command, which events happen.

Invariants: pure; `decide` may refuse with a LedgerError, and what it returns folds without refusal. A duplicate of a job's end is an
idempotent success and yields no event; everything else that `TRANSITIONS` does not allow is refused.
Units: times are aware; the claim of a producer may lie at most a day ahead of `now`."""

from __future__ import annotations

from datetime import datetime, timedelta

from ledger import events
from ledger.commands import Command
from ledger.errors import Conflict, IdentityTaken, IllegalTransition, Invalid, UnknownJob
from ledger.events import Event
from ledger.job import FAILURES, REMARKS, STAYS, TRANSITIONS, Job, State

CLAIM_AHEAD_MAX = timedelta(
    days=1
)  # clocks differ, calendars do not: a time further ahead is a mistake


def decide(job: Job | None, command: Command, now: datetime) -> tuple[Event, ...]:
    """The events that `command` makes of `job` (None: it does not exist yet). Raises a LedgerError when it may not happen."""
    _, event, envelope, if_version = command
    if envelope.occurred_at is not None:
        _check_claim(envelope.occurred_at, now)
    if type(event) is events.Created:
        return _create(job, event)
    if job is None or job.project != envelope.project:
        raise unknown(command)
    if if_version is not None and if_version != job.version:
        raise Conflict(
            f"The job is at version {job.version}, not at {if_version}.",
            version=job.version,
        )
    topic = event.TOPIC
    if topic in STAYS:
        return _remark(job, command)
    if job.final or topic not in TRANSITIONS[job.state]:
        if _same_end(job, event):
            return ()
        raise _illegal(job, event)
    if type(event) is events.Failed:
        _check_failure(job, event)
    return (event,)


def unknown(command: Command) -> UnknownJob:
    """There is no such job in the command's project, whether another has one or not."""
    return UnknownJob(f"There is no job {command.job_id} in project {command.envelope.project!r}.")


def _create(job: Job | None, event: events.Created) -> tuple[Event, ...]:
    if job is not None:
        raise IdentityTaken(f"Job {job.id} exists already.", field="id", holder=None)
    if event.number is None:
        raise Invalid("A new job needs a number.", field="number")
    return (event,)


def _remark(job: Job, command: Command) -> tuple[Event, ...]:
    event = command.event
    if isinstance(event, events.Erased):
        if not command.envelope.imported:
            raise Invalid("Values are erased by `jobledger erase`, which rewrites the bodies too.")
    elif job.state not in REMARKS[event.TOPIC]:
        raise _illegal(job, event)
    return (event,)


def _check_claim(claimed: datetime, now: datetime) -> None:
    if claimed > now + CLAIM_AHEAD_MAX:
        raise Invalid(
            f"occurred_at {claimed.isoformat()} lies more than a day ahead.", field="occurred_at"
        )


def _check_failure(job: Job, event: events.Failed) -> None:
    allowed = FAILURES[job.state]
    if event.kind not in allowed:
        kinds = " or ".join(sorted(allowed))
        raise IllegalTransition(
            f"A {job.state.value} job fails as {kinds}, not as {event.kind.value}.",
            version=job.version,
            state=job.state.value,
        )
    if job.state is State.FAILED and not event.final:
        raise _illegal(job, event)
    if event.kind is not events.FailureKind.EXCEPTION and not event.final:
        raise Invalid(f"A failure of kind {event.kind.value} is final.", field="final")


def _same_end(job: Job, event: Event) -> bool:
    """Whether `event` says again how this job ended."""
    match event:
        case events.Succeeded():
            return job.state is State.SUCCEEDED
        case events.Canceled():
            return job.state is State.CANCELED
        case events.Failed(kind=kind, final=final):
            return job.state is State.FAILED and final and kind is job.kind
    return False


def _illegal(job: Job, event: Event) -> IllegalTransition:
    verb = event.TOPIC.removeprefix("job.")
    end = ", which is its end," if job.absorbed else ""
    return IllegalTransition(
        f"A job that is {job.state.value}{end} cannot be {verb}.",
        version=job.version,
        state=job.state.value,
    )
