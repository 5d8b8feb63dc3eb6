"""The credential of an Orange request: an API key as X-API-Key or as Bearer token.

Invariants: pure; never refuses. X-Requester-Id says on whose behalf a request is made; it proves nothing and opens nothing."""

from __future__ import annotations

from api.dialects.dialect import ApiKey, Credential
from api.operation import Asked

CHALLENGE = 'Bearer realm="job ledger"'


def credential(asked: Asked) -> Credential | None:
    """The API key of a request."""
    if key := asked.headers.get("x-api-key", "").strip():
        return ApiKey(key)
    scheme, _, key = asked.headers.get("authorization", "").strip().partition(" ")
    return ApiKey(key.strip()) if scheme.lower() == "bearer" and key.strip() else None
