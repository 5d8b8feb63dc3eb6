"""Orange's operations: jobs found by criteria, and one job, each with its parameters and its refusals."""

from __future__ import annotations

from typing import Any, Final

from api import past
from api.dialects.orange import ask, tell, words
from api.dialects.orange.models import FaultOut, JobOut
from api.faults import Behind, Broken, Forbidden, Maintenance, NoSuchProject, Unauthenticated
from api.operation import Operation, Parameter, Reply, Scope
from ledger.errors import Busy, Invalid, LedgerError, UnknownJob
from ledger.job import Phase
from ledger.settings import PAGE_LIMIT_MAX
from projections.filters import FILTERS

_PROJECT: Final = Parameter("projectId", "path", "Project identifier.", required=True)
_ID: Final = Parameter(
    "jobId", "path", "Id of the job.", {"type": "string", "format": "uuid"}, required=True
)
_REQUESTER: Final = Parameter(
    "X-Requester-Id", "header", "On whose behalf the request is made; it opens nothing."
)


def _whole(default: int, least: int, most: int) -> dict[str, Any]:
    return {
        "type": "integer",
        "format": "int32",
        "minimum": least,
        "maximum": most,
        "default": default,
    }


_LIST_WORDS: Final = (
    Parameter(
        "state",
        "query",
        "Status of the job. May be repeated, or hold several with commas between them.",
        {"type": "array", "items": {"enum": list(Phase)}},
    ),
    Parameter(
        "offset",
        "query",
        "The index of the first job, from 0.",
        _whole(0, 0, words.INT32_MAX),
    ),
    Parameter(
        "limit", "query", "How many jobs at most.", _whole(ask.LIMIT_DEFAULT, 1, PAGE_LIMIT_MAX)
    ),
    Parameter(
        "sort",
        "query",
        f"Names of fields ({', '.join(words.SORTABLE)}) with commas between them; a minus in front of the first means descending.",
        {
            "type": "string",
            "maxLength": words.SORT_LENGTH_MAX,
            "pattern": f"^{words.SORT_PATTERN}$",
        },
        example="-createdDate",
    ),
    Parameter("resource", "query", "The name of the resource that the job is about."),
    *(
        Parameter(
            name,
            "query",
            f"Not of the product. {FILTERS[name].description}"
            + (" May be repeated." if FILTERS[name].many else ""),
        )
        for name in ask.EXTRAS
    ),
    _REQUESTER,
)

# Status -> the document's sentence.
_REFUSALS: Final = {
    400: "Request is not valid.",
    401: "Credentials are missing, invalid or expired.",
    403: "Valid credentials but not enough privileges to perform the operation.",
    404: "Unknown resource or service.",
    405: "Operation is not valid according to the state of the resource, or not with this verb.",
    500: "Unexpected error, please contact support.",
    503: "Service probably in maintenance. Please retry later.",
}
_REFUSAL_HEADERS: Final = {401: ("WWW-Authenticate",), 405: ("Allow",), 503: ("Retry-After",)}
_FAULTS: Final[tuple[type[LedgerError], ...]] = (
    *(Unauthenticated, Forbidden, NoSuchProject, Invalid, Busy, Behind, Maintenance, Broken),
)


def _refusals() -> tuple[Reply, ...]:
    return tuple(
        Reply(status, sentence, FaultOut, headers=_REFUSAL_HEADERS.get(status, ()))
        for status, sentence in _REFUSALS.items()
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="findJobs",
        method="GET",
        path="/projects/{projectId}/jobs",
        summary="Jobs that match all criteria.",
        scope=Scope.JOBS_READ,
        ask=ask.jobs,
        tell=tell.jobs,
        past=past.of_query,
        parameters=(_PROJECT, *_LIST_WORDS, *past.PARAMETERS),
        replies=(
            Reply(
                200,
                "The jobs.",
                schema={"type": "array", "items": {"$ref": "#/components/schemas/JobOut"}},
                headers=("X-Total-Count", "X-Result-Count", "Ledger-Position"),
            ),
            *_refusals(),
        ),
        faults=_FAULTS,
    ),
    Operation(
        id="getJob",
        method="GET",
        path="/projects/{projectId}/jobs/{jobId}",
        summary="One job.",
        scope=Scope.JOBS_READ,
        ask=ask.job,
        tell=tell.job,
        past=past.of_query,
        parameters=(_PROJECT, _ID, _REQUESTER, *past.PARAMETERS),
        replies=(Reply(200, "The job.", JobOut, headers=("Ledger-Position",)), *_refusals()),
        faults=(*_FAULTS, UnknownJob),
    ),
)
