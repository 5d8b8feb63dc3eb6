"""Faults in GeoOp's envelope: a failure with the items at fault, else an error.

Invariants: the statuses are the product's, beside them only 503, when the same request may succeed later; a failure is always 422 and saved
nothing; codes are for ever. A fault never raises, whatever was asked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic.alias_generators import to_camel

from api.dialects.geoop import words
from api.dialects.geoop.tell import items_metadata, said
from api.dialects.native.problem import CHALLENGE
from api.faults import Unauthenticated, WrongMethod
from api.operation import Asked, Said
from ledger.errors import (
    BatchRefused,
    Busy,
    Failure,
    Invalid,
    LedgerError,
)

Type = Literal["system", "client", "syntax", "content", "permission", "validation"]
Worded = tuple[int, Type, int]

_UNEXPECTED: Final[Worded] = (500, "system", 5000)
_BAD_CONTENT: Final[Worded] = (422, "content", 4229)

# The ledger's code -> HTTP status, type and GeoOp's code. What is not here is bad content when nothing changed, else unexpected.
WORDED: Final[Mapping[str, Worded]] = MappingProxyType(
    {
        "bad_syntax": (400, "syntax", 4000),
        "too_large": (400, "syntax", 4001),
        "unknown_encoding": (400, "syntax", 4002),
        "unauthenticated": (401, "client", 4010),
        "forbidden": (403, "permission", 4030),
        "no_such_path": (404, "client", 4040),
        "unknown_job": (404, "client", 4041),
        "unknown_project": (404, "client", 4042),
        "unknown_event": (404, "client", 4043),
        "not_signed_yet": (404, "client", 4044),
        "unknown_key": (404, "client", 4045),
        "wrong_method": (405, "client", 4050),
        "invalid": (422, "validation", 4220),
        "illegal_transition": (422, "content", 4221),
        "identity_taken": (422, "content", 4222),
        "conflict": (422, "content", 4223),
        "rotated": (422, "content", 4223),
        "idempotency_key_reused": (422, "content", 4224),
        "batch_refused": _BAD_CONTENT,
        "refused": _BAD_CONTENT,
        "unexpected": _UNEXPECTED,
        "undecodable": _UNEXPECTED,
        "bad_proof": _UNEXPECTED,
        "misconfigured": _UNEXPECTED,
        "too_slow": (503, "system", 5033),
        "too_fast": (503, "system", 5034),
        "crowded": (503, "system", 5034),
        "quota_reached": (503, "system", 5034),
        "busy": (503, "system", 5030),
        "behind": (503, "system", 5030),
        "unreachable": (503, "system", 5030),
        "maintenance": (503, "system", 5031),
        "idempotency_key_in_flight": (503, "system", 5032),
    }
)
# An item that names no job is bad content; a path that names none is a client's mistake.
_UNKNOWN_ITEM: Final[Worded] = (422, "content", 4225)

_WRITES: Final = frozenset({"POST", "PATCH", "DELETE"})
# What is found only as a request is saved; of a single item where it is not a batch's.
_OF_ONE_ITEM: Final = frozenset({"illegal_transition", "identity_taken", "conflict"})
# Fields that a decision names in the ledger's spelling.
_OURS: Final = frozenset({"occurred_at"})


def fault(asked: Asked, error: LedgerError) -> Said:
    """A refusal."""
    if failures := _failures(asked, error):
        return _failure(asked, failures)
    status, kind, code = _worded(error)
    body = {"result": "error", "error": _errors(error, kind, code, asked.request_id)[0]}
    return said(asked, body, *_headers(error, status), status=status)


def _failures(asked: Asked, error: LedgerError) -> dict[int, list[dict[str, Any]]]:
    """What is wrong with which item; nothing when it is not about items."""
    of_items: tuple[Failure, ...] = ()
    if isinstance(error, BatchRefused):
        of_items = error.failures
    elif error.code in _OF_ONE_ITEM and len(_items(asked)) == 1:
        of_items = (Failure(0, error),)
    found: dict[int, list[dict[str, Any]]] = {}
    for failure in of_items:
        _, kind, code = _worded(failure.error)
        if failure.error.code == "unknown_job":
            _, kind, code = _UNKNOWN_ITEM
        errors = _errors(failure.error, kind, code)
        for one in errors:
            if one.get("field") in _OURS:
                one["field"] = to_camel(one["field"])
        found.setdefault(failure.index, []).extend(errors)
    return found


def _items(asked: Asked) -> tuple[Any, ...]:
    if asked.method not in _WRITES:
        return ()
    try:
        return words.items(asked)
    except LedgerError:
        return ()


def _failure(asked: Asked, failures: Mapping[int, list[dict[str, Any]]]) -> Said:
    items = _items(asked)
    indices = tuple(sorted(failures))
    body = {
        "result": "failure",
        "failures": [
            {
                "rawData": items[index] if index < len(items) else None,
                "errors": failures[index],
            }
            for index in indices
        ],
        "metadata": items_metadata(len(items), indices),
    }
    return said(asked, body, status=422)


def _errors(
    error: LedgerError, kind: Type, code: int, request_id: str | None = None
) -> list[dict[str, Any]]:
    if isinstance(error, Invalid) and error.problems:
        return [
            {
                "type": kind,
                "code": code,
                "message": sentence,
                "description": error.hint,
                "field": field,
            }
            for field, sentence in error.problems
        ]
    description = error.hint
    if error.changed is None and request_id:
        description = f"{error.hint} The request id is {request_id}."
    shown = {"type": kind, "code": code, "message": str(error), "description": description}
    return [shown]


def _worded(error: LedgerError) -> Worded:
    if isinstance(error, Invalid) and not error.problems:
        return _BAD_CONTENT
    return WORDED.get(error.code) or (_UNEXPECTED if error.changed is None else _BAD_CONTENT)


def _headers(error: LedgerError, status: int) -> tuple[tuple[str, str], ...]:
    match error:
        case Unauthenticated():
            return (("WWW-Authenticate", CHALLENGE),)
        case WrongMethod():
            return (("Allow", ", ".join(error.allow)),)
    wait = error.retry_after_s if isinstance(error, Busy) else 1
    return (("Retry-After", str(wait)),) if status == 503 else ()
