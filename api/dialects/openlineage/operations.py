"""OpenLineage's operations: one event, or a batch of them.

Invariants: every refusal is described; a body may be packed by gzip on both."""

from __future__ import annotations

from typing import Final

from api.dialects.openlineage import ask, tell
from api.dialects.openlineage.models import (
    BatchOut,
    EventIn,
    EventsIn,
    FaultOut,
    IgnoredOut,
    TakenOut,
)
from api.faults import (
    BadSyntax,
    Broken,
    Forbidden,
    Maintenance,
    TooLarge,
    Unauthenticated,
    UnknownEncoding,
)
from api.operation import Operation, Parameter, Reply, Scope
from ledger.errors import Busy, Invalid, KeyInFlight, LedgerError, Unreachable

_HEADERS: Final = (
    Parameter("Content-Encoding", "header", "gzip, when the body is packed.", {"enum": ["gzip", "identity"]}),
    Parameter("Prefer", "header", "respond-async: answer at the commit, without waiting for the read models."),
)  # fmt: skip
_FAULTS: Final[tuple[type[LedgerError], ...]] = (
    *(BadSyntax, Unauthenticated, Forbidden, TooLarge, UnknownEncoding, Invalid),
    *(Broken, Busy, Maintenance, KeyInFlight, Unreachable),
)
_REFUSALS: Final = (
    (400, "The body cannot be read.", ()),
    (401, "Missing or invalid credentials.", ("WWW-Authenticate",)),
    (403, "The key lacks the scope jobs:write.", ()),
    (413, "The request is larger than the ledger reads.", ()),
    (415, "The body is packed in another way than gzip.", ("Accept-Encoding",)),
    (422, "The event does not say what it should.", ()),
    (500, "Something unexpected happened in the ledger itself.", ()),
    (503, "Too much is going on; send it again as Retry-After says.", ("Retry-After",)),
)
_REPLIES: Final = tuple(
    Reply(status, sentence, FaultOut, headers=headers) for status, sentence, headers in _REFUSALS
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="postEvent",
        method="POST",
        path="/api/v1/lineage",
        summary="Record what became of a run.",
        description=(
            "A repeated event changes nothing and is answered like the first. One that comes late or out of order is kept as a note with its own"
            " time. An event about a job or a dataset, and no run, is taken and not kept."
        ),
        scope=Scope.JOBS_WRITE,
        ask=ask.one,
        tell=tell.one,
        body=EventIn,
        parameters=_HEADERS,
        replies=(
            Reply(201, "The event is recorded.", TakenOut, headers=("Ledger-Position",)),
            Reply(200, "The event is about no run.", IgnoredOut),
            *_REPLIES,
        ),
        faults=_FAULTS,
    ),
    Operation(
        id="postEventBatch",
        method="POST",
        path="/api/v1/lineage/batch",
        summary="Record what became of many runs, each event by itself.",
        description="Events of one run are recorded in the order of the batch. One that fails does not hinder the others.",
        scope=Scope.JOBS_WRITE,
        ask=ask.many,
        tell=tell.many,
        body=EventsIn,
        parameters=_HEADERS,
        replies=(
            Reply(200, "What came of each event.", BatchOut, headers=("Ledger-Position",)),
            *_REPLIES,
        ),
        faults=_FAULTS,
    ),
)
