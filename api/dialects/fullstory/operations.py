"""FullStory's operations: a batch handed in, a job polled, and what became of a batch's items.

Invariants: every refusal is described; a body may be packed by gzip, and comes with or without a Content-Type."""

from __future__ import annotations

from typing import Final

from api import past
from api.dialects.fullstory import ask, tell
from api.dialects.fullstory.models import (
    BatchIn,
    CreatedOut,
    ErrorsOut,
    FaultOut,
    ImportsOut,
    StatusOut,
)
from api.faults import (
    BadSyntax,
    Behind,
    Broken,
    Forbidden,
    Maintenance,
    TooLarge,
    Unauthenticated,
    UnknownEncoding,
)
from api.operation import Operation, Parameter, Reply, Scope
from ledger.errors import (
    Busy,
    Invalid,
    KeyReused,
    LedgerError,
    QuotaReached,
    UnknownJob,
    Unreachable,
)
from ledger.settings import BATCH_BODY_BYTES_MAX

_ID: Final = Parameter(
    "job_id",
    "path",
    "ID that can be used to check the status and retrieve results for the batch import.",
    required=True,
)
_TOKEN: Final = Parameter("page_token", "query", "The next_page_token of the page before.")
_SCHEMA: Final = Parameter(
    "include_schema",
    "query",
    "Whether to show the schemas that came with the items.",
    {"type": "boolean", "default": False},
)
_POSTED: Final = (
    Parameter(
        "Idempotency-Key", "header", "One effect per key: the same again is answered the same."
    ),
    Parameter(
        "Content-Encoding",
        "header",
        "gzip, when the body is packed.",
        {"enum": ["gzip", "identity"]},
    ),
    Parameter(
        "Prefer",
        "header",
        "respond-async: answer at the commit, without waiting for the read models.",
    ),
)

_READ: Final[tuple[type[LedgerError], ...]] = (
    *(Unauthenticated, Forbidden, UnknownJob, Busy, Behind, Maintenance, Broken),
)
_TAKEN: Final[tuple[type[LedgerError], ...]] = (
    *(BadSyntax, Unauthenticated, Forbidden, TooLarge, UnknownEncoding, Invalid, KeyReused),
    *(QuotaReached, Broken, Busy, Maintenance, Unreachable),
)

# Status -> the document's sentence, and the headers that come with it.
_SENTENCES: Final = {
    400: ("Returned when invalid input has been provided. Fix the issue and retry.", ()),
    401: ("Returned when access to the resource is unauthorized.", ("WWW-Authenticate",)),
    403: ("Returned when access is not allowed due to insufficient permissions.", ()),
    404: ("Returned when the resource does not exist.", ()),
    409: ("Returned when the job is still being processed.", ("Retry-After",)),
    429: (
        "Returned when the project or the key asks for more at once than it may.",
        ("Retry-After",),
    ),
    500: ("Returned when a server error is encountered.", ()),
    503: ("Returned when the same request may succeed in a moment.", ("Retry-After",)),
}


def _refusals(*statuses: int) -> tuple[Reply, ...]:
    return tuple(
        Reply(status, _SENTENCES[status][0], FaultOut, headers=_SENTENCES[status][1])
        for status in statuses
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="createBatchEventsImportJob",
        method="POST",
        path="/v2/events/batch",
        summary="Create a batch events import job with the given list of events.",
        description=(
            "The answer comes when all items are durably saved; they are applied afterwards, in order, and each stands for itself. Poll the job"
            " until it is COMPLETED or FAILED, then read its imports and errors."
        ),
        scope=Scope.JOBS_WRITE,
        ask=ask.batch,
        tell=tell.batch,
        body=BatchIn,
        body_bytes_max=BATCH_BODY_BYTES_MAX,
        parameters=_POSTED,
        replies=(
            Reply(200, "The batch is saved.", CreatedOut, headers=("Ledger-Position",)),
            *_refusals(400, 401, 403, 429, 500, 503),
        ),
        faults=_TAKEN,
    ),
    Operation(
        id="getBatchEventsImportStatus",
        method="GET",
        path="/v2/events/batch/{job_id}",
        summary="Get the status for a batch events import job with job details.",
        description="Any job of the ledger can be asked for, by the opaque ID or by its own.",
        scope=Scope.JOBS_READ,
        ask=ask.job,
        tell=tell.job,
        past=past.of_query,
        parameters=(_ID, *past.PARAMETERS),
        replies=(
            Reply(200, "A successful response.", StatusOut, headers=("Ledger-Position",)),
            *_refusals(400, 401, 403, 404, 429, 500, 503),
        ),
        faults=_READ,
    ),
    Operation(
        id="getBatchEventsImports",
        method="GET",
        path="/v2/events/batch/{job_id}/imports",
        summary="Get the event details for successful events imported from a batch events import job.",
        scope=Scope.JOBS_READ,
        ask=ask.imports,
        tell=tell.imports,
        past=past.of_query,
        parameters=(_ID, _TOKEN, _SCHEMA, *past.PARAMETERS),
        replies=(
            Reply(200, "A successful response.", ImportsOut),
            *_refusals(400, 401, 403, 404, 409, 429, 500, 503),
        ),
        faults=(*_READ, Invalid),
    ),
    Operation(
        id="getBatchEventsImportErrors",
        method="GET",
        path="/v2/events/batch/{job_id}/errors",
        summary="Get the error message and code for any events that failed from an events import job.",
        scope=Scope.JOBS_READ,
        ask=ask.errors,
        tell=tell.errors,
        past=past.of_query,
        parameters=(_ID, _TOKEN, *past.PARAMETERS),
        replies=(
            Reply(200, "A successful response.", ErrorsOut),
            *_refusals(400, 401, 403, 404, 409, 429, 500, 503),
        ),
        faults=(*_READ, Invalid),
    ),
)
