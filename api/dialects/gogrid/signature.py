"""Signatures: GoGrid's proof that the caller knows the shared secret.

Invariants: pure; sig = lower-case hex of md5(api_key + shared secret + Unix seconds), joined without a separator. The time is not sent, so
every second of a window is tried, and all of them whatever fits. Units: seconds."""

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
    fits = False
    for tried_second in range(second - window_s, second + window_s + 1):
        tried = begun.copy()
        tried.update(b"%d" % tried_second)
        fits |= hmac.compare_digest(tried.digest(), wanted)
    return fits
