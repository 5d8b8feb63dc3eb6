"""Problems: refusals in the form of RFC 9457, with the ledger's code and hint.

Invariants: the status follows the code, by api.faults.STATUSES; what the fault knows (fields, failures, versions) is shown, never more."""

from __future__ import annotations

from typing import Any

import pydantic_core

from api.faults import STATUSES, Unauthenticated, WrongMethod
from api.operation import Asked, Said
from ledger.errors import (
    BatchRefused,
    Busy,
    Conflict,
    IdentityTaken,
    IllegalTransition,
    Invalid,
    LedgerError,
)

PROBLEM_JSON = "application/problem+json"
CHALLENGE = 'Bearer realm="job ledger"'


def problem(asked: Asked, error: LedgerError) -> Said:
    """A fault as this dialect words it."""
    status = STATUSES[error.code]
    body: dict[str, Any] = {
        "type": f"{asked.base_url}/docs#{error.code}",
        "title": _title(error),
        "status": status,
        "detail": str(error),
        "code": error.code,
        "hint": error.hint,
        "request_id": asked.request_id,
        **_known(error),
    }
    return Said(status, pydantic_core.to_json(body), PROBLEM_JSON, _headers(error, status))


def _title(error: LedgerError) -> str:
    return (type(error).__doc__ or "").partition("\n")[0].rstrip(".")


def _known(error: LedgerError) -> dict[str, Any]:
    match error:
        case Invalid() if error.problems:
            return {
                "errors": [
                    {"field": field, "detail": sentence} for field, sentence in error.problems
                ]
            }
        case BatchRefused():
            return {
                "failures": [_failure(failure.index, failure.error) for failure in error.failures]
            }
        case Conflict():
            return {"version": error.version}
        case IllegalTransition():
            return {"version": error.version, "state": error.state}
        case IdentityTaken():
            return {"field": error.field, "job": error.holder}
    return {}


def _failure(index: int, error: LedgerError) -> dict[str, Any]:
    return {
        "index": index,
        "code": error.code,
        "detail": str(error),
        "hint": error.hint,
        **_known(error),
    }


def _headers(error: LedgerError, status: int) -> tuple[tuple[str, str], ...]:
    match error:
        case Unauthenticated():
            return (("WWW-Authenticate", CHALLENGE),)
        case WrongMethod():
            return (("Allow", ", ".join(error.allow)),)
        case Busy():
            return (("Retry-After", str(error.retry_after_s)),)
    return (("Retry-After", "1"),) if status in (409, 503) and error.code in _PASSING else ()


_PASSING = frozenset({"idempotency_key_in_flight", "unreachable", "behind"})
