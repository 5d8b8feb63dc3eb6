"""Faults in FullStory's words: {"message", "code"}.

Invariants: the statuses are the document's 400, 401, 403, 404, 429 and 500, beside 409 for results asked for too early and 503 where the same
may succeed in a moment; codes are the product's where it has one, else the ledger's own. A fault never raises, whatever was asked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import pydantic_core

from api.dialects.fullstory.credential import CHALLENGE
from api.operation import Asked, Said
from ledger.errors import BatchRefused, Busy, Invalid, LedgerError

MEDIA_TYPE: Final = "application/json"


class Required(Invalid):
    """Something that must be there is not."""

    code = "required_field"


class StillProcessing(LedgerError):
    """The job is not over, so it has no results yet."""

    code = "still_processing"
    hint = "Poll the job until it is COMPLETED or FAILED, then ask again."


class NoResults(LedgerError):
    """The job has no list of items: it is no batch, or they are kept no longer."""

    code = "no_results"
    hint = "Poll the job; its events stay in the log."


_BAD: Final = 400
_NOT_FOUND: Final = (404, "resource_not_found")
_BROKEN: Final = (500, "server_error")
_LATER: Final = (503, "server_error")
_TOO_MANY: Final = (429, "too_many_requests")

# The ledger's code -> HTTP status and FullStory's code. What is not here is a bad request under the ledger's own code.
WORDED: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "unauthenticated": (401, "unauthorized"),
        "forbidden": (403, "forbidden"),
        "unknown_job": _NOT_FOUND,
        "unknown_project": _NOT_FOUND,
        "no_such_path": _NOT_FOUND,
        "no_results": _NOT_FOUND,
        "wrong_method": _NOT_FOUND,
        "still_processing": (409, "still_processing"),
        "quota_reached": _TOO_MANY,
        "too_fast": _TOO_MANY,
        "crowded": _TOO_MANY,
        "idempotency_key_in_flight": _TOO_MANY,
        "too_slow": _LATER,
        "busy": _LATER,
        "behind": _LATER,
        "unreachable": _LATER,
        "maintenance": _LATER,
        "unexpected": _BROKEN,
        "undecodable": _BROKEN,
        "misconfigured": _BROKEN,
    }
)
_AGAIN: Final = frozenset({409, 429, 503})


def fault(asked: Asked, error: LedgerError) -> Said:
    """A refusal."""
    cause = error.failures[0].error if isinstance(error, BatchRefused) else error
    status, code = worded(cause)
    body = {"message": _message(asked, cause, status), "code": code}
    text = pydantic_core.to_json(body)
    return Said(status, text, MEDIA_TYPE, _headers(cause, status))


def worded(error: LedgerError) -> tuple[int, str]:
    """The status and the code of a fault."""
    return WORDED.get(error.code) or (_BROKEN if error.changed is None else (_BAD, error.code))


def code_of(code: str) -> str:
    """The code of an item's error, from the ledger's."""
    return WORDED.get(code, (_BAD, code))[1]


def _message(asked: Asked, error: LedgerError, status: int) -> str:
    if error.code in ("unknown_job", "unknown_project"):
        return "Requested resource does not exist"
    report = f" Report it with the request id {asked.request_id}." if status == 500 else ""
    # What a sentence quotes may be no characters at all.
    return f"{error}{report}".encode("utf-8", "replace").decode()


def _headers(error: LedgerError, status: int) -> tuple[tuple[str, str], ...]:
    if status == 401:
        return (("WWW-Authenticate", CHALLENGE),)
    wait_s = error.retry_after_s if isinstance(error, Busy) else 1
    return (("Retry-After", str(wait_s)),) if status in _AGAIN else ()
