"""Faults of the edge: what goes wrong before or beside a decision.

Invariants: like every LedgerError, a sentence with a code and a hint; which HTTP status and envelope it gets, the caller's dialect says.
`STATUSES` is the native reading of every code, and the starting point of the other dialects."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import ValidationError

from ledger.errors import BatchRefused, Busy, Failure, Invalid, LedgerError


class Unauthenticated(LedgerError):
    """No valid credential came with the request."""

    code = "unauthenticated"
    hint = "Send an API key, as Authorization: Bearer KEY; `jobledger keys create` makes one."

    def __init__(
        self, sentence: str, *, lack: Literal["missing", "invalid", "expired"] = "invalid"
    ) -> None:
        super().__init__(sentence)
        # Some dialects have a word for each. Expired is told only to who proved to have the key.
        self.lack = lack


class Forbidden(LedgerError):
    """The credential lacks the scope that this operation needs."""

    code = "forbidden"
    hint = "Use a key with the scope that the message names; `jobledger keys create --scope` makes one."


class NoSuchPath(LedgerError):
    """Nothing is served at this path."""

    code = "no_such_path"
    hint = "See /openapi.json or /docs for what is served."


class WrongMethod(LedgerError):
    """The path exists, but not with this method."""

    code = "wrong_method"
    hint = "The Allow header names the methods that this path takes."

    def __init__(self, sentence: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(sentence)
        self.allow = allow


class BadSyntax(LedgerError):
    """The request cannot be read at all."""

    code = "bad_syntax"
    hint = "Send UTF-8 JSON as the operation's description in /openapi.json shows it."


class NoSuchProject(LedgerError):
    """The credential sees no such project."""

    code = "unknown_project"
    hint = "Use the project that the key was made for; `jobledger keys list` shows it."


class TooLarge(LedgerError):
    """The request is larger than the ledger reads."""

    code = "too_large"
    hint = "Split the request; GET /openapi.json names the limits."


class UnknownEncoding(LedgerError):
    """The body is packed in a way that the ledger does not unpack."""

    code = "unknown_encoding"
    hint = "Send the body as it is, or packed by gzip."

    def __init__(self, sentence: str, *, accept: str) -> None:
        super().__init__(sentence)
        self.accept = accept


class Behind(LedgerError):
    """The read models have not reached the asked min_position in time."""

    code = "behind"
    hint = "Wait a moment, then ask again; GET /readyz shows how far they are."


class Crowded(Busy):
    """As many requests of this project are under way as it may have at once."""

    code = "crowded"
    hint = "Send fewer requests at the same time; this one had no effect, and may be sent again as Retry-After says."


class TooFast(Busy):
    """The credential asks more often than it may."""

    code = "too_fast"
    hint = "Wait as long as Retry-After says, then send the same request again; it had no effect."


class TooSlow(LedgerError):
    """The request did not arrive in time."""

    code = "too_slow"
    hint = "Send the whole request without pauses; it had no effect, and may be sent again."


class Maintenance(Busy):
    """An operator has switched maintenance on."""

    code = "maintenance"
    hint = "Wait as long as Retry-After says, then send the same request again; `jobledger maintenance off` ends it."


class Broken(LedgerError):
    """Something unexpected happened in the ledger itself."""

    code = "unexpected"
    hint = "Retry later; tell the operator the request id, under which the log has the whole story."
    changed = None


# code -> HTTP status. 408, 409 and 429 aside, a 4xx promises that nothing changed.
STATUSES: Mapping[str, int] = MappingProxyType(
    {
        "invalid": 422,
        "unknown_job": 404,
        "illegal_transition": 409,
        "conflict": 412,
        "identity_taken": 409,
        "idempotency_key_reused": 422,
        "idempotency_key_in_flight": 409,
        "batch_refused": 422,
        "refused": 422,
        "bad_syntax": 400,
        "unknown_project": 404,
        "too_slow": 408,
        "too_fast": 429,
        "crowded": 429,
        "busy": 503,
        "quota_reached": 429,
        "unreachable": 503,
        "undecodable": 500,
        "not_signed_yet": 404,
        "unknown_event": 404,
        "unknown_key": 404,
        "rotated": 409,
        "bad_proof": 500,
        "misconfigured": 500,
        "unauthenticated": 401,
        "forbidden": 403,
        "no_such_path": 404,
        "wrong_method": 405,
        "too_large": 413,
        "unknown_encoding": 415,
        "behind": 503,
        "maintenance": 503,
        "unexpected": 500,
    }
)


def invalid(error: ValidationError) -> LedgerError:
    """What pydantic found, as a fault: every field at fault with its sentence; a body that is no JSON is bad syntax."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return BadSyntax(f"The body is not JSON: {found[0]['msg']}.")
    problems = tuple((_place(item["loc"]), _sentence(item["msg"])) for item in found)
    field, sentence = problems[0]
    return Invalid(
        f"{field}: {sentence}" if field else sentence, field=field or None, problems=problems
    )


def invalid_batch(error: ValidationError) -> LedgerError:
    """The same for a body that holds a list: the faults of each element under its index."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if any(len(item["loc"]) < 2 or not isinstance(item["loc"][1], int) for item in found):
        return invalid(error)
    by_index: dict[int, list[tuple[str, str]]] = {}
    for item in found:
        by_index.setdefault(int(item["loc"][1]), []).append(
            (_place(item["loc"][2:]), _sentence(item["msg"]))
        )
    failures = []
    for index, problems in sorted(by_index.items()):
        field, sentence = problems[0]
        failures.append(
            Failure(index, Invalid(f"{field}: {sentence}", field=field, problems=tuple(problems)))
        )
    return BatchRefused(tuple(failures))


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in loc)


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ").rstrip(".") + "."
