"""Signatures: GoGrid's proof that the caller knows the shared secret.

Invariants: pure; sig = lower-case hex of md5(api_key + shared secret + Unix seconds), joined without a separator. The time is not sent, so
the seconds of a window are tried, ours first and outward from it: an honest clock costs a few hashes, and only what does not fit all of them.
How long it took tells whoever signed how far his clock is off, and nobody else anything. Units: seconds."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime

_SIG = re.compile(r"[0-9a-f]{32}")


def sign(api_key: str, secret: str, unix_seconds: int) -> str:
    """The signature of one second."""
    return hashlib.md5(
        f"{api_key}{secret}{unix_seconds}".encode("utf-8", "surrogatepass"), usedforsecurity=False
    ).hexdigest()


def matches(api_key: str, secret: str, sig: str, now: datetime, window_s: int) -> bool:
    """Whether `sig` was made within `window_s` of `now`, either way and both ends included."""
    if not _SIG.fullmatch(sig):
        return False
    wanted = bytes.fromhex(sig)
    # The key and the secret are hashed once, and each second on from there.
    begun = hashlib.md5(
        f"{api_key}{secret}".encode("utf-8", "surrogatepass"), usedforsecurity=False
    )
    second = int(now.timestamp())
    for off_s in range(window_s + 1):
        # Ahead first, since some clients round up.
        for tried_second in (second + off_s, second - off_s)[: 2 if off_s else 1]:
            tried = begun.copy()
            tried.update(b"%d" % tried_second)
            if hmac.compare_digest(tried.digest(), wanted):
                return True
    return False
