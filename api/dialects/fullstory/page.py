"""Page tokens: where a page of results begins.

Invariants: a token belongs to one list, imports or errors, and is not to be understood by clients. Errors: Invalid."""

from __future__ import annotations

import base64
import binascii
import re

from ledger.errors import Invalid

_TOKEN = re.compile(r"(imports|errors) ([0-9]{1,9})")


def token(listed: str, nth: int) -> str:
    """The token of the page behind an item."""
    return base64.urlsafe_b64encode(f"{listed} {nth}".encode()).decode()


def behind(listed: str, word: str) -> int:
    """The item behind which a page begins."""
    try:
        found = _TOKEN.fullmatch(base64.b64decode(word, altchars=b"-_", validate=True).decode())
    except (binascii.Error, ValueError):
        found = None
    if found is None or found[1] != listed:
        raise Invalid("page_token is the next_page_token of this list.", field="page_token")
    return int(found[2])
