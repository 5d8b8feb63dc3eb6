"""Faults in GoGrid's words.

Invariants: the status follows the ledger's code and is the reverse of HTTP's habit where GoGrid's is: 403 for a bad signature, 401 for a
missing right, 400 for an unknown job, 404 for a wrong verb. A fault never raises, whatever was asked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from api.dialects.gogrid.shape import Envelope, Fault
from api.dialects.gogrid.tell import said
from api.dialects.gogrid.words import fault_format
from api.operation import Asked, Said
from ledger.errors import Busy, LedgerError

NO_OBJECT: Final = (
    "No object found that matches your input criteria."  # clients look for the first three words
)
_METHOD_LENGTH_MAX: Final = 200  # characters of a path that are said back

_ILLEGAL_ARGUMENT: Final = (400, "IllegalArgumentException")
_UNEXPECTED: Final = (500, "UnexpectedError")

# The ledger's code -> HTTP status and GoGrid's errorcode. What is not here is a bad argument when nothing changed, else unexpected.
WORDED: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "invalid": _ILLEGAL_ARGUMENT,
        "bad_syntax": _ILLEGAL_ARGUMENT,
        "unknown_job": _ILLEGAL_ARGUMENT,
        "unknown_project": _ILLEGAL_ARGUMENT,
        "too_large": (413, "IllegalArgumentException"),
        "forbidden": (401, "Unauthorized"),
        "unauthenticated": (403, "Authentication Failed"),
        "no_such_path": (404, "Not Found"),
        "wrong_method": (404, "Not Found"),
        "too_slow": (503, "UnexpectedError"),
        "too_fast": (503, "UnexpectedError"),
        "crowded": (503, "UnexpectedError"),
        "busy": (503, "UnexpectedError"),
        "behind": (503, "UnexpectedError"),
        "unreachable": (503, "UnexpectedError"),
        "maintenance": (503, "UnexpectedError"),
        "undecodable": _UNEXPECTED,
        "misconfigured": _UNEXPECTED,
        "unexpected": _UNEXPECTED,
    }
)


def fault(asked: Asked, error: LedgerError) -> Said:
    """A refusal in the format that was asked for."""
    status, errorcode = WORDED.get(error.code) or (
        _UNEXPECTED if error.changed is None else _ILLEGAL_ARGUMENT
    )
    method = quote(asked.path.removeprefix("/api")[:_METHOD_LENGTH_MAX], errors="replace")
    told = Envelope(
        method=method,
        kind=Fault,
        things=(Fault(_message(asked, error, status), errorcode),),
        total=1,
        numpages=None,
    )
    wait = error.retry_after_s if isinstance(error, Busy) else 1
    headers = (("Retry-After", str(wait)),) if status == 503 else ()
    return said(told, fault_format(asked), *headers, status=status)


def _message(asked: Asked, error: LedgerError, status: int) -> str:
    if error.code in ("unknown_job", "unknown_project"):
        return NO_OBJECT
    match status:
        case 401:
            return f"The role of this API key does not allow this: {error}"
        case 403:
            return (
                f"{error} Send api_key and sig, the lower-case hex md5 of api_key, shared secret and Unix time in seconds,"
                " and set your clock right."
            )
        case 500:
            return f"{error} Report it with the request id {asked.request_id}."
    return str(error)
