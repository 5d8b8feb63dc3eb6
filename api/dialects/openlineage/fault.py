"""Faults in words that OpenLineage's clients can log: {"error", "message", "hint", "request_id"}.

Invariants: the status follows the ledger's code, and a client that should send the same again gets a 503, since that is what clients retry.
A fault never raises, whatever was asked."""

from __future__ import annotations

from typing import Final

import pydantic_core

from api.dialects.native.problem import CHALLENGE
from api.faults import STATUSES, Unauthenticated, UnknownEncoding, WrongMethod
from api.operation import Asked, Said
from ledger.errors import Busy, LedgerError

MEDIA_TYPE: Final = "application/json"

# Another request with the same event is under way: the next try finds it recorded.
_AGAIN: Final = frozenset(
    {
        *("idempotency_key_in_flight", "conflict", "identity_taken"),
        *("too_slow", "too_fast", "crowded"),
    }
)


def fault(asked: Asked, error: LedgerError) -> Said:
    """A refusal."""
    status = status_of(error)
    body = {
        "error": error.code,
        "message": str(error),
        "hint": error.hint,
        "request_id": asked.request_id,
    }
    return Said(status, pydantic_core.to_json(body), MEDIA_TYPE, _headers(error, status))


def status_of(error: LedgerError) -> int:
    """The HTTP status of a refusal: 5xx means that the same may succeed later."""
    if error.code in _AGAIN:
        return 503
    return STATUSES.get(error.code) or (500 if error.changed is None else 422)


def _headers(error: LedgerError, status: int) -> tuple[tuple[str, str], ...]:
    match error:
        case Unauthenticated():
            return (("WWW-Authenticate", CHALLENGE),)
        case WrongMethod():
            return (("Allow", ", ".join(error.allow)),)
        case UnknownEncoding():
            return (("Accept-Encoding", error.accept),)
    wait = error.retry_after_s if isinstance(error, Busy) else 1
    return (("Retry-After", str(wait)),) if status == 503 else ()
