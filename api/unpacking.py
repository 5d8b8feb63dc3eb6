"""Unpacking: a request body as its Content-Encoding says, while it arrives.

Invariants: what comes out is bounded, however little came in; a stream that ends early, or has something behind it, is refused.
Units: bytes. Errors: TooLarge, BadSyntax, UnknownEncoding."""

from __future__ import annotations

import zlib
from typing import Final, Protocol

from api.faults import BadSyntax, TooLarge, UnknownEncoding
from ledger import settings

ENCODINGS: Final = ("gzip", "x-gzip", "identity")  # the second is the first's older name

_GZIP: Final = 16 + zlib.MAX_WBITS


class Unpacked(Protocol):
    """A body that grows part by part; `size_bytes` is what it has grown to."""

    @property
    def size_bytes(self) -> int:
        """What is kept of it in memory."""

    def take(self, part: bytes) -> None:
        """Add what has arrived."""

    def body(self) -> bytes:
        """All of it, once nothing more comes."""


def unpacked(encoding: str, bytes_max: int = settings.BODY_BYTES_MAX) -> Unpacked:
    """What unpacks a body of this Content-Encoding; empty for none. `bytes_max` bounds what comes in and what comes out."""
    word = encoding.strip().lower() or "identity"
    if word not in ENCODINGS:
        raise UnknownEncoding(
            f"The Content-Encoding {word[:50]!r} is not understood; gzip is.", accept="gzip"
        )
    return _Plain(bytes_max) if word == "identity" else _Gzip(bytes_max)


class _Plain:
    def __init__(self, bytes_max: int) -> None:
        self._parts: list[bytes] = []
        self._bytes_max = bytes_max
        self.room = bytes_max

    @property
    def size_bytes(self) -> int:
        return self._bytes_max - self.room

    def take(self, part: bytes) -> None:
        self.room -= len(part)
        if self.room < 0:
            raise too_large(self._bytes_max)
        self._parts.append(part)

    def body(self) -> bytes:
        return b"".join(self._parts)


class _Gzip:
    """One gzip member. RFC 1952 knows files of several, but no client sends them, and unpacking a million tiny ones would take for ever."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._packed = bytes_max
        self._plain = _Plain(bytes_max)
        self._stream = zlib.decompressobj(_GZIP)

    @property
    def size_bytes(self) -> int:
        return self._plain.size_bytes

    def take(self, part: bytes) -> None:
        self._packed -= len(part)
        if self._packed < 0:
            raise too_large(self._bytes_max)
        if part and self._stream.eof:
            raise BadSyntax("Something stands behind the gzip of the body.")
        try:
            # One byte more than there is room for tells that it is too large, and no more than that is ever held.
            self._plain.take(self._stream.decompress(part, self._plain.room + 1))
        except zlib.error as error:
            raise BadSyntax("The body is not the gzip that its Content-Encoding says.") from error
        if self._stream.unused_data:
            raise BadSyntax("Something stands behind the gzip of the body.")

    def body(self) -> bytes:
        if not self._stream.eof:
            raise BadSyntax("The gzip of the body ends too early.")
        return self._plain.body()


def too_large(bytes_max: int) -> TooLarge:
    """The refusal of a body beyond the limit."""
    return TooLarge(f"The body is larger than {bytes_max} bytes.")
