"""The credential of a FullStory request: an API key as it is behind Basic, or as Bearer token.

Invariants: pure; never refuses. The product's clients send the key itself, not the base64 of a name and a password."""

from __future__ import annotations

from api.dialects.dialect import ApiKey, Credential
from api.operation import Asked

CHALLENGE = 'Basic realm="job ledger"'


def credential(asked: Asked) -> Credential | None:
    """The API key of a request."""
    scheme, _, key = asked.headers.get("authorization", "").strip().partition(" ")
    return ApiKey(key.strip()) if scheme.lower() in ("basic", "bearer") and key.strip() else None
