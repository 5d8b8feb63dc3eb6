"""Faults in Orange's words: {"code", "message", "description"}.

Invariants: the statuses are the document's 400, 401, 403, 404, 405, 500 and 503, where 405 is also an operation that the state of the job does
not allow; codes are Orange's, by which its clients translate. A fault never raises, whatever was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from api.dialects.orange.credential import CHALLENGE
from api.dialects.orange.tell import MEDIA_TYPE
from api.faults import Unauthenticated, WrongMethod
from api.operation import Asked, Said
from ledger.errors import BatchRefused, Busy, LedgerError

# Orange's code -> the short sentence that goes with it.
MESSAGES: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "Internal error",
        5: "Service unavailable",
        22: "Invalid body",
        28: "Invalid query-string parameter value",
        40: "Missing credentials",
        41: "Invalid credentials",
        42: "Expired credentials",
        50: "Access denied",
        60: "Resource not found",
        61: "Method not allowed",
        66: "Request entity too large",
    }
)

_INTERNAL: Final = (500, 1)
_UNAVAILABLE: Final = (503, 5)
_BAD_PARAMETER: Final = (400, 28)
_NOT_FOUND: Final = (404, 60)
_NOT_NOW: Final = (405, 61)

# The ledger's code -> HTTP status and Orange's code. What is not here is a bad request when nothing changed, else an internal error.
WORDED: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "invalid": _BAD_PARAMETER,
        "bad_syntax": _BAD_PARAMETER,
        "too_large": (400, 66),
        "unauthenticated": (401, 41),
        "forbidden": (403, 50),
        "unknown_job": _NOT_FOUND,
        "unknown_project": _NOT_FOUND,
        "no_such_path": _NOT_FOUND,
        "wrong_method": _NOT_NOW,
        "illegal_transition": _NOT_NOW,
        "conflict": _NOT_NOW,
        "unexpected": _INTERNAL,
        "undecodable": _INTERNAL,
        "misconfigured": _INTERNAL,
        "too_slow": _UNAVAILABLE,
        "too_fast": _UNAVAILABLE,
        "crowded": _UNAVAILABLE,
        "busy": _UNAVAILABLE,
        "behind": _UNAVAILABLE,
        "unreachable": _UNAVAILABLE,
        "maintenance": _UNAVAILABLE,
        "idempotency_key_in_flight": _UNAVAILABLE,
    }
)
_LACKS: Final = MappingProxyType({"missing": 40, "invalid": 41, "expired": 42})


def fault(asked: Asked, error: LedgerError) -> Said:
    """A refusal."""
    cause = error.failures[0].error if isinstance(error, BatchRefused) else error
    status, code = WORDED.get(cause.code) or (_INTERNAL if cause.changed is None else (400, 22))
    if isinstance(cause, Unauthenticated):
        code = _LACKS[cause.lack]
    body: dict[str, Any] = {
        "code": code,
        "message": MESSAGES[code],
        "description": _description(asked, cause, status),
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Said(status, text.encode("utf-8", "replace"), MEDIA_TYPE, _headers(cause, status))


def _description(asked: Asked, error: LedgerError, status: int) -> str:
    if error.code in ("unknown_job", "unknown_project"):
        return "There is no such project or job."
    if status == 500:
        return f"{error} Report it with the request id {asked.request_id}."
    return str(error)


def _headers(error: LedgerError, status: int) -> tuple[tuple[str, str], ...]:
    if isinstance(error, WrongMethod):
        return (("Allow", ", ".join(error.allow)),)
    if status == 401:
        return (("WWW-Authenticate", CHALLENGE),)
    if status == 503:
        return (("Retry-After", str(error.retry_after_s if isinstance(error, Busy) else 1)),)
    return ()
