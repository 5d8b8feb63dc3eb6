"""Faults in Comestri's words: {"error", "message"}, and {"errors": {parameter: [sentence]}} where parameters are at fault.

Invariants: the statuses are the product's 401, 403, 404, 422 and 500, so a wrong verb is a 404 and a body that is no JSON a 422; beside them
only 503, when the same request may succeed later. A 401 carries its challenge. A fault never raises, whatever was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from api.dialects.comestri.credential import CHALLENGE
from api.dialects.comestri.tell import MEDIA_TYPE
from api.operation import Asked, Said
from ledger.errors import BatchRefused, Busy, Invalid, LedgerError

# Status -> the product's name for it.
REASONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        422: "Unprocessable Entity",
        500: "Internal Server Error",
        503: "Service Unavailable",
    }
)

# The ledger's code -> HTTP status. What is not here cannot be processed when nothing changed, else it is an internal error.
WORDED: Final[Mapping[str, int]] = MappingProxyType(
    {
        "unauthenticated": 401,
        "forbidden": 403,
        "unknown_job": 404,
        "unknown_project": 404,
        "no_such_path": 404,
        "wrong_method": 404,
        "unexpected": 500,
        "undecodable": 500,
        "misconfigured": 500,
        "too_slow": 503,
        "too_fast": 503,
        "crowded": 503,
        "busy": 503,
        "behind": 503,
        "unreachable": 503,
        "maintenance": 503,
        "idempotency_key_in_flight": 503,
    }
)


def fault(asked: Asked, error: LedgerError) -> Said:
    """A refusal."""
    # All commands of one request are about one job, so the first reason is the reason.
    cause = error.failures[0].error if isinstance(error, BatchRefused) else error
    status = WORDED.get(cause.code) or (500 if cause.changed is None else 422)
    body: dict[str, Any] = {"error": REASONS[status], "message": _message(asked, cause, status)}
    if status == 422 and isinstance(cause, Invalid) and cause.problems:
        errors: dict[str, list[str]] = {}
        for field, sentence in cause.problems:
            errors.setdefault(field, []).append(sentence)
        body["errors"] = errors
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Said(status, text.encode("utf-8", "replace"), MEDIA_TYPE, _headers(cause, status))


def _message(asked: Asked, error: LedgerError, status: int) -> str:
    if error.code in ("unknown_job", "unknown_project"):
        return "The requested job could not be found."
    if status == 500:
        return f"{error} Report it with the request id {asked.request_id}."
    return str(error)


def _headers(error: LedgerError, status: int) -> tuple[tuple[str, str], ...]:
    if status == 401:
        return (("WWW-Authenticate", CHALLENGE),)
    if status == 503:
        return (("Retry-After", str(error.retry_after_s if isinstance(error, Busy) else 1)),)
    return ()
