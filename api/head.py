"""The head of a request: what was asked, as far as it tells.

Invariants: pure but for the clock and a new request id; a head never refuses, since whoever answers has to know what was asked. ASGI has the
names of headers in lower case.
Errors: TooLarge and BadSyntax for a query that cannot be read, when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from uuid_utils import uuid7

from api.faults import BadSyntax, TooLarge
from api.operation import Asked
from ledger import settings
from ledger.errors import LedgerError

_ONCE = (
    *("authorization", "x-api-key", "ledger-project", "idempotency-key", "if-match"),
    *("content-type", "content-encoding", "host", "x-method"),
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def asked_in(scope: Mapping[str, Any]) -> Asked:
    """The request as far as its head tells. A query that cannot be read is left out here and refused by `check_query`."""
    headers = {name.decode("latin-1"): word.decode("latin-1") for name, word in scope["headers"]}
    if "prefer" in headers and len(headers) < len(scope["headers"]):
        # What a client prefers it may say in several lines, which are one.
        said = [word.decode("latin-1") for name, word in scope["headers"] if name == b"prefer"]
        headers["prefer"] = ", ".join(said)
    query: tuple[tuple[str, str], ...] = ()
    if scope["query_string"]:
        with suppress(LedgerError):
            query = query_of(scope)
    return Asked(
        method=scope["method"],
        path=scope["path"],
        query=query,
        headers=headers,
        path_params=scope.get("path_params", {}),
        now=datetime.now(UTC),
        request_id=request_id(headers.get("x-request-id")),
        base_url=f"{scope['scheme']}://{headers.get('host', 'localhost')}",
        target=_target(scope) if "signature-input" in headers else "",
    )


def request_id(given: str | None) -> str:
    """The client's own, where it is one that can be said back, or a new one."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else str(uuid7())


def query_of(scope: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The parameters, in order and with repeats. Raises TooLarge, BadSyntax."""
    raw = scope["query_string"]
    if not raw and len(scope["path"]) <= settings.URL_LENGTH_MAX:
        return ()
    if len(raw) + len(scope["path"]) > settings.URL_LENGTH_MAX:
        raise TooLarge(f"The address is longer than {settings.URL_LENGTH_MAX} characters.")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=1_000
        )
    except ValueError as error:
        raise BadSyntax("The query string is not percent-encoded UTF-8.") from error
    for name, word in pairs:
        if "\x00" in name or "\x00" in word:
            raise BadSyntax("The query string holds the character U+0000.")
    return tuple(pairs)


def _target(scope: Mapping[str, Any]) -> str:
    """Path and query as they were sent: what a signature is over."""
    query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
    return str(scope["raw_path"].decode("latin-1")) + query


def check_once(asked: Asked, scope: Mapping[str, Any]) -> None:
    """Refuse a header that says who asks or what for, and stands there twice: a program on the way may have believed the other one."""
    if len(scope["headers"]) > len(asked.headers):
        seen = [name.decode("latin-1") for name, _ in scope["headers"]]
        for name in _ONCE:
            if seen.count(name) > 1:
                raise BadSyntax(f"The header {name} stands there more than once.")
