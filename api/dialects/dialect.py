"""A dialect: one way of saying what the ledger knows.

Invariants: a dialect is a frozen record of pure functions; a difference of meaning belongs in the question, a difference of wording here.
Every fault of a path under its prefixes is worded by `fault`, a 404, 405 and 500 included; it never invents an error code of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from api.operation import Asked, Operation, Said
from ledger.errors import LedgerError


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the client sent it, in whichever header its product uses."""

    key: str


@dataclass(frozen=True, slots=True)
class Md5Signature:
    """GoGrid's signature: md5(api_key + shared secret + unix seconds), lower-case hex. It binds neither path nor body, so it may only read."""

    api_key: str
    sig: str


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that is signed as a whole, as RFC 9421 has it."""

    asked: Asked


Credential = ApiKey | Md5Signature | SignedRequest


# How OpenAPI says where the credential stands.
BEARER: Mapping[str, Mapping[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, made by `jobledger keys create`, or a token of the OpenID issuer that the operator trusts. Requests may be"
        " signed as RFC 9421 has it instead.",
    }
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One row of DIALECTS. A path belongs to the first dialect with a prefix that it starts with; `challenge` is its WWW-Authenticate.

    `credential` finds what the client offered, or None; `fault` words an error for what was asked; `security` are OpenAPI's schemes, all of
    which a request carries; `method` is the verb that a request means, and never refuses. `echo`: whatever of path, query and headers its faults
    show, but for the host and the request id; `credential_in_body`: of operations that take a form."""

    name: str
    title: str
    prefixes: tuple[str, ...]
    operations: tuple[Operation, ...]
    credential: Callable[[Asked], Credential | None]
    fault: Callable[[Asked, LedgerError], Said]
    description: str = ""
    challenge: str | None = 'Bearer realm="job ledger"'
    security: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: BEARER)
    method: Callable[[Asked], str] = lambda asked: asked.method
    echo: Callable[[str, bytes, Mapping[bytes, bytes]], Hashable] = lambda path, query, headers: (
        None
    )
    credential_in_body: bool = False
