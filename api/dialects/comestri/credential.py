"""The credential of a Comestri request: an API key, in whichever scheme the client speaks.

Invariants: pure; never refuses. `Token token=KEY,email=...` is the product's older scheme, `Basic client_id:secret` its newer one, where the
secret is the key and the client id is a remark, as the email is."""

from __future__ import annotations

import base64
import binascii
import re

from api.dialects.dialect import ApiKey, Credential
from api.operation import Asked

CHALLENGE = 'Basic realm="job ledger", Token realm="job ledger", Bearer realm="job ledger"'

_TOKEN = re.compile(r'(?:^|[,;\s])token\s*=\s*(?:"([^"]*)"|([^",;\s]+))')


def credential(asked: Asked) -> Credential | None:
    """The API key of a request."""
    scheme, _, words = asked.headers.get("authorization", "").strip().partition(" ")
    words = words.strip()
    match scheme.lower():
        case "bearer":
            key = words
        case "token":
            found = _TOKEN.search(words)
            key = (found[1] or found[2] or "") if found else ("" if "=" in words else words)
        case "basic":
            key = _secret(words)
        case _:
            key = ""
    return ApiKey(key) if key else None


def _secret(words: str) -> str:
    """What stands behind the colon of Basic credentials."""
    try:
        text = base64.b64decode(words, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text.partition(":")[2]
