"""GeoOp's operations: the collection and its items, under four verbs.

Invariants: every refusal is described; what is said of GET is said of HEAD too."""

from __future__ import annotations

from typing import Any, Final

from api import past
from api.dialects.geoop import ask, tell
from api.dialects.geoop.models import (
    CancelIn,
    CancelsIn,
    ChangeIn,
    ChangesIn,
    FailureOut,
    FatalOut,
    NewJobIn,
    NewJobsIn,
    PageOut,
    SavedOut,
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
    BatchRefused,
    Busy,
    Invalid,
    KeyInFlight,
    KeyReused,
    LedgerError,
    UnknownJob,
    Unreachable,
)
from ledger.settings import PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX
from projections.filters import FILTERS, SORTS

_HEADERS: Final = (
    Parameter("X-Version", "header", "The version of the API, such as 1.3. It is echoed.",
              {"type": "string", "pattern": "^1(\\.[0-9]{1,3})?$"}),
)  # fmt: skip
_ID: Final = Parameter(
    "id", "path", "ID of the job.", {"type": "integer", "minimum": 1}, required=True, example=157
)
_KEY: Final = Parameter(
    "Idempotency-Key",
    "header",
    "Not of the product. A repeated request with the same key has one effect and one answer.",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
)
_LIST_WORDS: Final = (
    Parameter("page", "query", "Page number, from 1.",
              {"type": "integer", "minimum": 1, "maximum": ask.PAGE_MAX, "default": 1}),
    Parameter("recordsPerPage", "query", "How many jobs at most.",
              {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT_MAX, "default": PAGE_LIMIT_DEFAULT}),
    Parameter("recordsCount", "query", "false: leave out recordsCount and pagesCount, which cost time.",
              {"type": "boolean", "default": True}),
    Parameter("sort", "query", f"Not of the product. One of {', '.join(SORTS)}; a minus in front means descending.",
              example="-created"),
    *(
        Parameter(row.name, "query", f"Not of the product. {row.description}" + (" May be repeated." if row.many else ""))
        for row in FILTERS.values()
    ),
)  # fmt: skip

# Status -> what it means, as the product says it.
REASONS: Final = {
    400: "Something is wrong with the request's syntax.",
    401: "Missing or invalid client credentials.",
    403: "The operation is not permitted.",
    404: "There is no such job.",
    422: "The request was understood, but its content is invalid.",
    500: "Something unexpected happened.",
    503: "Too much is going on; ask again as Retry-After says.",
}
_READ_FAULTS: Final[tuple[type[LedgerError], ...]] = (
    *(BadSyntax, Unauthenticated, Forbidden, Invalid, Busy, Behind, Maintenance, Broken),
)
_WRITE_FAULTS: Final[tuple[type[LedgerError], ...]] = (
    *(*_READ_FAULTS, TooLarge, UnknownEncoding, BatchRefused, KeyReused, KeyInFlight, Unreachable),
)


def _refusals(*statuses: int, failure: bool = False) -> tuple[Reply, ...]:
    headers = {401: ("WWW-Authenticate",), 503: ("Retry-After",)}
    return tuple(
        Reply(
            status,
            REASONS[status],
            None if failure and status == 422 else FatalOut,
            {"anyOf": [FailureOut, FatalOut]},
            headers=("X-Version", *headers.get(status, ())),
        )
        for status in statuses
    )


def _read(id_: str, path: str, summary: str, **fields: Any) -> Operation:
    named = "{id}" in path
    return Operation(
        id=id_,
        method="GET",
        path=path,
        summary=summary,
        scope=Scope.JOBS_READ,
        replies=(
            Reply(200, "Jobs.", PageOut, headers=("X-Version", "Ledger-Position")),
            *_refusals(400, 401, 403, *((404,) if named else ()), 422, 500, 503),
        ),
        past=past.of_query,
        parameters=(*((_ID,) if named else _LIST_WORDS), *past.PARAMETERS, *_HEADERS),
        faults=(*_READ_FAULTS, *((UnknownJob,) if named else ())),
        **fields,
    )


def _write(id_: str, method: str, path: str, summary: str, **fields: Any) -> Operation:
    named = "{id}" in path
    return Operation(
        id=id_,
        method=method,
        path=path,
        summary=summary,
        replies=(
            Reply(200, "All items were processed and saved.", SavedOut,
                  headers=("X-Version", "Ledger-Position", "Idempotency-Replayed")),
            *_refusals(400, 401, 403, *((404,) if named else ()), 422, 500, 503, failure=True),
        ),
        parameters=(*((_ID,) if named else ()), *_HEADERS, _KEY),
        faults=(*_WRITE_FAULTS, *((UnknownJob,) if named else ())),
        **fields,
    )  # fmt: skip


OPERATIONS: tuple[Operation, ...] = (
    _read("getJobs", "/jobs", "Jobs, newest first, page by page.", ask=ask.jobs, tell=tell.jobs),
    _read("getJob", "/jobs/{id}", "One job.", ask=ask.job, tell=tell.job),
    _write("postJobs", "POST", "/jobs", "Create jobs, all or none.", scope=Scope.JOBS_WRITE,
           ask=ask.create, tell=tell.saved, body=NewJobIn | NewJobsIn),
    _write("patchJobs", "PATCH", "/jobs", "Say what became of jobs, all or none.", scope=Scope.JOBS_WRITE,
           ask=ask.patch, tell=tell.saved, body=ChangeIn | ChangesIn),
    _write("patchJob", "PATCH", "/jobs/{id}", "Say what became of one job.", scope=Scope.JOBS_WRITE,
           ask=ask.patch, tell=tell.saved, body=ChangeIn | ChangesIn),
    _write("deleteJobs", "DELETE", "/jobs", "Cancel jobs, all or none.", scope=Scope.JOBS_CANCEL,
           ask=ask.delete, tell=tell.saved, body=CancelIn | CancelsIn),
    _write("deleteJob", "DELETE", "/jobs/{id}", "Cancel one job. It needs no body.", scope=Scope.JOBS_CANCEL,
           ask=ask.delete, tell=tell.saved),
)  # fmt: skip
