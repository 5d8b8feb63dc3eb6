"""Comestri's operations: index, show and create, each with its parameters and its refusals.

Invariants: the style is bound here, so that what asks and tells stays pure."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from api import past
from api.dialects.comestri import ask, tell
from api.dialects.comestri.fault import REASONS
from api.dialects.comestri.models import CreatedOut, FaultOut, NewJobIn, PageOut, ShownOut
from api.dialects.comestri.style import Style
from api.faults import (
    BadSyntax,
    Behind,
    Broken,
    Forbidden,
    Maintenance,
    TooLarge,
    Unauthenticated,
)
from api.operation import Operation, Parameter, Reply, Scope
from ledger.errors import (
    Busy,
    Invalid,
    KeyInFlight,
    KeyReused,
    LedgerError,
    UnknownJob,
    Unreachable,
)
from ledger.settings import PAGE_LIMIT_MAX
from projections.filters import FILTERS

_TIME: Final = "an ISO 8601 time such as 2016-05-30T05:13:26Z. Without an offset it is UTC; a date alone is its midnight in UTC."


def _whole(default: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}


_LIST_WORDS: Final = (
    Parameter("per_page", "query", "Number of jobs in one response.", _whole(ask.PER_PAGE_DEFAULT, PAGE_LIMIT_MAX)),
    Parameter("page", "query", "Page number, from 1.", _whole(1, ask.PAGE_MAX)),
    Parameter("id", "query", "ID of the job."),
    Parameter("request_id", "query", "Request ID of the job."),
    Parameter("created_by", "query", "The submitter of the job."),
    Parameter("created_time_from", "query", f"Created then or later: {_TIME}"),
    Parameter("created_time_to", "query", f"Created then or earlier: {_TIME}"),
    Parameter("updated_time_from", "query", f"Last changed then or later: {_TIME}"),
    Parameter("updated_time_to", "query", f"Last changed then or earlier: {_TIME}"),
    *(
        Parameter(name, "query", f"Not of the product. {FILTERS[name].description}" + (" May be repeated." if FILTERS[name].many else ""))
        for name in ask.EXTRAS
    ),
)  # fmt: skip
_ID: Final = Parameter(
    "id",
    "path",
    "ID of the job.",
    {"type": "integer", "minimum": 1},
    required=True,
    example=429,
)
_KEY: Final = Parameter(
    "Idempotency-Key",
    "header",
    "Not of the product. A repeated request with the same key makes one job and gets one answer.",
)

_READ_FAULTS: Final[tuple[type[LedgerError], ...]] = (
    *(Unauthenticated, Forbidden, Invalid, Busy, Behind, Maintenance, Broken),
)
_WRITE_FAULTS: Final[tuple[type[LedgerError], ...]] = (
    *(*_READ_FAULTS, BadSyntax, TooLarge, KeyReused, KeyInFlight, Unreachable),
)


def _refusals(*statuses: int) -> tuple[Reply, ...]:
    headers = {401: ("WWW-Authenticate",), 503: ("Retry-After",)}
    return tuple(
        Reply(status, f"{REASONS[status]}.", FaultOut, headers=headers.get(status, ()))
        for status in statuses
    )


def operations(style: Style) -> tuple[Operation, ...]:
    """The operations in a style."""
    return (_index(style), _show(style), _create(style))


def _index(style: Style) -> Operation:
    return Operation(
        id="indexJobs",
        method="GET",
        path="/api/v2/jobs",
        summary="Jobs, newest first, page by page.",
        scope=Scope.JOBS_READ,
        ask=partial(ask.index, style),
        tell=partial(tell.index, style),
        past=past.of_query,
        parameters=(*_LIST_WORDS, *past.PARAMETERS),
        replies=(
            Reply(200, "A page of jobs.", PageOut, headers=("Ledger-Position",)),
            *_refusals(401, 403, 422, 500, 503),
        ),
        faults=_READ_FAULTS,
    )


def _show(style: Style) -> Operation:
    return Operation(
        id="showJob",
        method="GET",
        path="/api/v2/jobs/{id}",
        summary="One job, with the errors of its items.",
        scope=Scope.JOBS_READ,
        ask=ask.show,
        tell=partial(tell.show, style),
        past=past.of_query,
        parameters=(_ID, *past.PARAMETERS),
        replies=(
            Reply(200, "The job.", ShownOut, headers=("Ledger-Position",)),
            *_refusals(401, 403, 404, 422, 500, 503),
        ),
        faults=(*_READ_FAULTS, UnknownJob),
    )


def _create(style: Style) -> Operation:
    return Operation(
        id="createJob",
        method="POST",
        path="/api/v2/jobs",
        summary="Ask for a job: it is saved ready to process, or not at all.",
        description=(
            "The data is kept with the job, so data and options together may take 256 KiB. A worker tells an item's error by a message"
            " whose description is the item's _request_data_id."
        ),
        scope=Scope.JOBS_WRITE,
        ask=ask.create,
        tell=partial(tell.created, style),
        parameters=(_KEY,),
        body=NewJobIn,
        replies=(
            Reply(
                201,
                "The new job.",
                CreatedOut,
                headers=("Location", "Ledger-Position", "Idempotency-Replayed"),
            ),
            *_refusals(401, 403, 422, 500, 503),
        ),
        faults=_WRITE_FAULTS,
    )
