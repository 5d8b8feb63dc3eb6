"""Signed requests: HTTP message signatures as RFC 9421 has them, by Ed25519 or HMAC-SHA256.

Invariants: a signature covers method, path and query as they were sent, the digest of a body, a time and a nonce; it is good for
SIGNED_WINDOW_S and, by its nonce, once. The algorithm is the key's, whatever the request says. Units: seconds.
Errors: Unfit, which is for the log and not for the caller."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    MappingKeyResolver,
)
from http_message_signatures.algorithms import ED25519, HMAC_SHA256, HTTPSignatureAlgorithm

from api.operation import Asked
from ledger import settings

# What every signature covers; a body's digest as well, when there is one.
COVERED = ("@method", "@path", "@query")
ALGORITHMS: Mapping[str, type[HTTPSignatureAlgorithm]] = MappingProxyType(
    {"ed25519": ED25519, "hmac-sha256": HMAC_SHA256}
)
_KEY_ID = re.compile(r';\s*keyid="([0-9a-f]{16})"', re.ASCII)
_NONCE = re.compile(r"[!-~]{16,128}", re.ASCII)


class Unfit(Exception):
    """The signature does not fit the request; the text says why."""


@dataclass(frozen=True, slots=True)
class _Message:
    """A request as the library asks for it."""

    method: str
    url: str
    headers: dict[str, str]
    request_target: str


class _Verifier(HTTPMessageVerifier):
    max_clock_skew = timedelta(seconds=settings.SIGNED_AHEAD_S_MAX)


def key_id_of(asked: Asked) -> str | None:
    """The id of the key that a request says it is signed by, if it names one of ours."""
    named = _KEY_ID.findall(asked.headers.get("signature-input", ""))
    return named[0] if len(named) == 1 else None


def verify(asked: Asked, key_id: str, algorithm: str, key: bytes) -> str:
    """The nonce of a request whose signature fits. `key`: the shared secret, or the 32 bytes of an Ed25519 key. Raises Unfit."""
    if asked.headers.get("content-encoding", "identity") != "identity":
        raise Unfit("the body is packed, and what is signed is what was sent")
    known = Ed25519PublicKey.from_public_bytes(key) if algorithm == "ed25519" else key
    verifier = _Verifier(
        signature_algorithm=ALGORITHMS[algorithm],
        key_resolver=MappingKeyResolver(public_keys={key_id: known}, private_keys={}),
    )
    message = _Message(
        asked.method, asked.base_url + asked.target, dict(asked.headers), asked.target
    )
    window = timedelta(seconds=settings.SIGNED_WINDOW_S)
    try:
        [verified] = verifier.verify(
            message, max_age=window, require_components=COVERED, body=asked.body
        )
    except (HTTPMessageSignaturesException, ValueError) as error:
        raise Unfit(str(error)[:200]) from error
    nonce = verified.nonce
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise Unfit("there is no nonce of 16 to 128 characters")
    return nonce
