"""Statuses: GeoOp's word for where a job stands, as {id, name}.

Invariants: ids are for ever; a failure that will be retried is still Processing for who polls, but its own entry in the history is Failed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ledger.events import FailureKind
from ledger.job import Outcome, State, Stay
from projections.row import Entry

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
SHOWN: Final[Mapping[str, int]] = MappingProxyType(
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


def shown(outcome: str) -> Mapping[str, Any]:
    """The status of a job."""
    return _TOLD[SHOWN[outcome]]


def entered(outcome: str, stay: Stay | Entry, *, last: bool) -> Mapping[str, Any]:
    """The status that an entry was, in the history of a job that came to this; the last one of a job that is over is what the job is."""
    if last and outcome in _OVER:
        return shown(outcome)
    fatal = stay.state == State.FAILED and stay.kind == FailureKind.REJECTED
    return _TOLD[FATAL if fatal else IDS[stay.state]]


_TOLD: Final = {number: {"id": number, "name": name} for number, name in NAMES.items()}
_OVER: Final = frozenset(Outcome) - {
    *(Outcome.CREATED, Outcome.QUEUED, Outcome.PROCESSING, Outcome.RETRYING)
}
