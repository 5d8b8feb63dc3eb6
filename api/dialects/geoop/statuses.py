"""Statuses: GeoOp's word for where a job stands, as {id, name}.

Invariants: ids are for ever; a failure that will be retried is still Processing for who polls, but its own entry in the history is Failed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ledger.events import FailureKind
from ledger.job import Job, Outcome, State, Stay

QUEUED: Final = 1
PROCESSING: Final = 2
SUCCEEDED: Final = 3
FAILED: Final = 4
CANCELED: Final = 5
FATAL: Final = 6
CREATED: Final = 7

NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        QUEUED: "Queued",
        PROCESSING: "Processing",
        SUCCEEDED: "Succeeded",
        FAILED: "Failed",
        CANCELED: "Canceled",
        FATAL: "Fatal",
        CREATED: "Created",
    }
)
IDS: Final[Mapping[str, int]] = MappingProxyType({name: number for number, name in NAMES.items()})

# What came of a job -> its status.
SHOWN: Final[Mapping[Outcome, int]] = MappingProxyType(
    {
        Outcome.CREATED: CREATED,
        Outcome.QUEUED: QUEUED,
        Outcome.PROCESSING: PROCESSING,
        Outcome.RETRYING: PROCESSING,
        Outcome.SUCCEEDED: SUCCEEDED,
        Outcome.INCOMPLETE: FAILED,
        Outcome.FAILED: FAILED,
        Outcome.EXHAUSTED: FATAL,
        Outcome.REJECTED: FATAL,
        Outcome.CANCELED: CANCELED,
    }
)


def shown(job: Job) -> dict[str, Any]:
    """The status of a job."""
    return _told(SHOWN[job.outcome])


def entered(job: Job, stay: Stay) -> dict[str, Any]:
    """The status that an entry of a job's history was."""
    if stay is job.history[-1] and job.absorbed:
        return shown(job)
    fatal = stay.state is State.FAILED and stay.kind is FailureKind.REJECTED
    return _told(FATAL if fatal else IDS[stay.state.value])


def _told(number: int) -> dict[str, Any]:
    return {"id": number, "name": NAMES[number]}
