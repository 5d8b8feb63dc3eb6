"""The way from a job's creation to its final status, as far as a row of a table can tell it.

Invariants: a step is told because the row has its time, because it is the status itself, or because no legal history could do without it; the last
kind is marked as implied. `decide` judges, as it does for everybody. Errors: LedgerError when no history ends like this."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

from api.transfer.map import Ending
from ledger import imported
from ledger.errors import Invalid, LedgerError
from ledger.events import (
    Canceled,
    Created,
    Envelope,
    Event,
    Failed,
    FailureKind,
    Queued,
    Started,
    Succeeded,
)
from ledger.imported import Claim, History


class Step(IntEnum):
    """What a row may have a time of, in order."""

    CREATED = 0
    QUEUED = 1
    STARTED = 2
    ENDED = 3


# The step that a status is at: the last one that its row tells.
AT = {
    "created": Step.CREATED,
    "queued": Step.QUEUED,
    "processing": Step.STARTED,
    "succeeded": Step.ENDED,
    "failed": Step.ENDED,
    "canceled": Step.ENDED,
}

_NOBODY = Envelope(project="-", actor="-", imported=True)
_SOME_JOB = Created(type="-", owner="-", number=1)


class Told(NamedTuple):
    """One step behind the creation. `implied`: the row has no word of it, but it must have been."""

    step: Step
    event: Event
    implied: bool


def path(
    ending: Ending, *, queued: bool, started: bool, queued_assumed: bool = False
) -> tuple[Told, ...]:
    """The steps behind the creation, given which times the row has. `queued_assumed`: the time of queueing is only taken to be that of creation."""
    last = AT[ending.state]
    if started and last < Step.STARTED:
        raise Invalid(f"The status says {ending.state}, but the row has a time of its start.")
    if queued and not queued_assumed and last < Step.QUEUED:
        raise Invalid(f"The status says {ending.state}, but the row has a time of its queueing.")
    has_queued = last == Step.QUEUED or (queued and last > Step.QUEUED)
    has_started = last == Step.STARTED or (started and last > Step.STARTED)
    ways = [(has_queued, has_started)]
    if queued_assumed and last != Step.QUEUED:
        ways.append((False, has_started))
    ways += [(has_queued, True), (True, has_started), (True, True)]
    refusals = []
    for with_queued, with_started in ways:
        told = _told(ending, (with_queued, with_started), (has_queued, has_started))
        refused = _refusal(told)
        if refused is None:
            return told
        refusals.append(refused)
    # What the row has says most about why; where it has nothing, the fullest history does.
    raise refusals[0] if queued or started else refusals[-1]


def _told(ending: Ending, steps: tuple[bool, bool], known: tuple[bool, bool]) -> tuple[Told, ...]:
    told = []
    if steps[0]:
        told.append(Told(Step.QUEUED, Queued(), not known[0]))
    if steps[1]:
        told.append(Told(Step.STARTED, Started(), not known[1]))
    end = _end(ending)
    if end is not None:
        told.append(Told(Step.ENDED, end, implied=False))
    return tuple(told)


def _end(ending: Ending) -> Event | None:
    match ending.state:
        case "succeeded":
            return Succeeded()
        case "canceled":
            return Canceled()
        case "failed":
            return Failed(
                kind=ending.kind or FailureKind.EXCEPTION,
                final=ending.final is None or ending.final,
            )
    return None


def _refusal(told: tuple[Told, ...]) -> LedgerError | None:
    nobody = UUID(int=0)
    claims = [
        Claim(event, _NOBODY, None, b"", nobody, 0)
        for event in (_SOME_JOB, *(one.event for one in told))
    ]
    refused = imported.decided(
        None, History("-", nobody, (), claims), claims, datetime.fromtimestamp(0, UTC)
    ).refused
    return None if refused is None else refused[1]
