"""The native operations on jobs and events: where, with which scope, which shapes, which refusals."""

from __future__ import annotations

from typing import Final

from api import faults, past
from api.dialects.native import ask, tell, view
from api.dialects.native.models import (
    CountsOut,
    EventsOut,
    HistoryOut,
    JobOut,
    JobsOut,
    MinimalSavedOut,
    NewEvent,
    NewEvents,
    NewJob,
    NewJobs,
    SavedOut,
)
from api.operation import Operation, Parameter, Reply, Scope
from ledger import errors, settings
from projections.filters import FILTERS, SORTS

_PROJECT: Final = Parameter(
    "project", "path", "The tenant; a key belongs to one.", required=True, example="demo"
)
_ID: Final = Parameter(
    "id", "path", "The job's id.", {"type": "string", "format": "uuid"}, required=True
)
_MIN_POSITION: Final = Parameter(
    "min_position",
    "query",
    "Answer only once the read models have reached this position, such as the Ledger-Position of a write.",
    {"type": "integer", "minimum": 0},
)
_WRITING: Final = (
    Parameter(
        "Idempotency-Key",
        "header",
        "A repeated request with the same key has one effect and one answer.",
    ),
    Parameter(
        "Prefer",
        "header",
        "respond-async: answer at the commit, without waiting for the read models. return=minimal: answer without the job, and of many with"
        " their ids, numbers and versions only; return=representation, as without it: with all of them. Preference-Applied says what was done;"
        " what is not known is passed over (RFC 7240).",
        example="respond-async, return=minimal",
    ),
)
_SAVED: Final = ("Ledger-Position", "Idempotency-Replayed", "Preference-Applied")
_IF_MATCH: Final = Parameter(
    "If-Match",
    "header",
    "The job's ETag: refuse unless it is still at this version.",
    example='"3"',
)
_READ_FAULTS: Final = (
    faults.Unauthenticated,
    faults.Forbidden,
    faults.NoSuchProject,
    errors.Invalid,
    errors.Busy,
    faults.Maintenance,
    faults.Crowded,
    faults.TooFast,
    # A query that is no UTF-8, and an address that is too long.
    faults.BadSyntax,
    faults.TooLarge,
)
_WRITE_FAULTS: Final = (
    *_READ_FAULTS,
    faults.TooSlow,
    faults.UnknownEncoding,
    errors.BatchRefused,
    errors.IdentityTaken,
    errors.KeyReused,
    errors.KeyInFlight,
    errors.Unreachable,
)
_EVENT_FAULTS: Final = (
    *_WRITE_FAULTS,
    errors.UnknownJob,
    errors.IllegalTransition,
    errors.Conflict,
)


def _limit(most: int, default: int, what: str) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return Parameter("limit", "query", f"How many {what} at most.", schema)


_LIST_WORDS: Final = (
    *(
        Parameter(row.name, "query", row.description + (" May be repeated." if row.many else ""))
        for row in FILTERS.values()
    ),
    Parameter(
        "sort",
        "query",
        f"One of {', '.join(SORTS)}; a minus in front means descending.",
        example="-created",
    ),
    _limit(settings.PAGE_LIMIT_MAX, settings.PAGE_LIMIT_DEFAULT, "jobs"),
    Parameter("cursor", "query", "Where the page begins: take the whole address from `next`."),
    Parameter(
        "count",
        "query",
        "exact: tell the number of matching jobs as well.",
        {"enum": ["exact", "none"]},
    ),
    _MIN_POSITION,
)

_FEED_WORDS: Final = (
    Parameter(
        "after", "query", "Only events behind this position.", {"type": "integer", "minimum": 0}
    ),
    _limit(settings.FEED_LIMIT_MAX, settings.FEED_LIMIT_DEFAULT, "events"),
)
_FED: Final = Reply(
    200,
    "The events, in order.",
    EventsOut,
    media_types=view.FEED,
    headers=("Link", "Ledger-Position"),
)

JOBS: tuple[Operation, ...] = (
    Operation(
        id="createJobs",
        method="POST",
        path="/v1/projects/{project}/jobs",
        summary="Record a new job, or several: all or none.",
        scope=Scope.JOBS_WRITE,
        ask=ask.new_jobs,
        tell=tell.created,
        body=NewJob | NewJobs,
        parameters=(_PROJECT, *_WRITING),
        replies=(
            Reply(
                201,
                "The job, or the jobs of a batch. With `return=minimal` one job is told by the headers alone: there is no body.",
                schema={"anyOf": [JobOut, SavedOut, MinimalSavedOut]},
                headers=("Location", "ETag", *_SAVED),
            ),
        ),
        faults=_WRITE_FAULTS,
    ),
    Operation(
        id="listJobs",
        method="GET",
        path="/v1/projects/{project}/jobs",
        summary="List jobs by any filter, in any order, page by page.",
        scope=Scope.JOBS_READ,
        ask=ask.page,
        tell=tell.jobs,
        past=past.of_query,
        parameters=(_PROJECT, *_LIST_WORDS, *past.PARAMETERS),
        replies=(Reply(200, "A page of jobs.", JobsOut, headers=("Link", "Ledger-Position")),),
        faults=(*_READ_FAULTS, faults.Behind),
    ),
    Operation(
        id="getJob",
        method="GET",
        path="/v1/projects/{project}/jobs/{id}",
        summary="One job as it stands, with its history.",
        scope=Scope.JOBS_READ,
        ask=ask.job,
        tell=tell.job,
        past=past.of_query,
        parameters=(
            _PROJECT,
            _ID,
            _MIN_POSITION,
            *past.PARAMETERS,
            Parameter("If-None-Match", "header", "304 when the job is still at this ETag."),
        ),
        replies=(
            Reply(200, "The job.", JobOut, headers=("ETag", "Ledger-Position")),
            Reply(304, "Unchanged.", media_types=()),
        ),
        faults=(*_READ_FAULTS, errors.UnknownJob, faults.Behind),
    ),
    Operation(
        id="getHistory",
        method="GET",
        path="/v1/projects/{project}/jobs/{id}/history",
        summary="The states a job entered, when, and by whom.",
        scope=Scope.JOBS_READ,
        ask=ask.job,
        tell=tell.history,
        past=past.of_query,
        parameters=(_PROJECT, _ID, _MIN_POSITION, *past.PARAMETERS),
        replies=(
            Reply(
                200, "The history, oldest first.", HistoryOut, headers=("ETag", "Ledger-Position")
            ),
        ),
        faults=(*_READ_FAULTS, errors.UnknownJob, faults.Behind),
    ),
    Operation(
        id="getJobEvents",
        method="GET",
        path="/v1/projects/{project}/jobs/{id}/events",
        summary="Every event of one job, straight from the log.",
        scope=Scope.JOBS_READ,
        ask=ask.feed,
        tell=tell.events,
        past=past.of_query,
        parameters=(_PROJECT, _ID, *_FEED_WORDS, *past.PARAMETERS),
        replies=(_FED,),
        faults=(*_READ_FAULTS, errors.UnknownJob, faults.Behind),
    ),
    Operation(
        id="addJobEvents",
        method="POST",
        path="/v1/projects/{project}/jobs/{id}/events",
        summary="Say what happened to one job: one event, or several in order.",
        scope=Scope.JOBS_CANCEL,
        description="A key with jobs:write may say everything, one with jobs:cancel only `canceled`.",
        ask=ask.new_event,
        tell=tell.happened,
        body=NewEvent | NewEvents,
        parameters=(_PROJECT, _ID, _IF_MATCH, *_WRITING),
        replies=(
            Reply(
                200,
                "The job as it is now.",
                JobOut,
                headers=("ETag", *_SAVED),
            ),
            Reply(
                204,
                "The same, with `return=minimal`: the job is told by the headers alone.",
                media_types=(),
                headers=("ETag", *_SAVED),
            ),
        ),
        faults=_EVENT_FAULTS,
    ),
    Operation(
        id="addEvents",
        method="POST",
        path="/v1/projects/{project}/events",
        summary="Say what happened to many jobs, all or none.",
        scope=Scope.JOBS_CANCEL,
        description="A key with jobs:write may say everything, one with jobs:cancel only `canceled`.",
        ask=ask.new_events,
        tell=tell.happened_to_many,
        body=NewEvents,
        parameters=(_PROJECT, *_WRITING),
        replies=(
            Reply(
                200,
                "The jobs as they are now.",
                schema={"anyOf": [SavedOut, MinimalSavedOut]},
                headers=_SAVED,
            ),
        ),
        faults=_EVENT_FAULTS,
    ),
    Operation(
        id="getEvents",
        method="GET",
        path="/v1/projects/{project}/events",
        summary="The feed: every event of the project behind a position, in order, none left out.",
        scope=Scope.JOBS_READ,
        ask=ask.feed,
        tell=tell.events,
        past=past.of_query,
        parameters=(_PROJECT, *_FEED_WORDS, *past.PARAMETERS),
        replies=(_FED,),
        faults=(*_READ_FAULTS, faults.Behind),
    ),
    Operation(
        id="getCounts",
        method="GET",
        path="/v1/projects/{project}/counts",
        summary="How many jobs there are, by state, type and command.",
        scope=Scope.JOBS_READ,
        ask=ask.tally,
        tell=tell.counts,
        past=past.of_query,
        parameters=(_PROJECT, _MIN_POSITION, *past.PARAMETERS),
        replies=(Reply(200, "The counts.", CountsOut, headers=("Ledger-Position",)),),
        faults=(*_READ_FAULTS, faults.Behind),
    ),
)
