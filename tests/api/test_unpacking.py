"""Unpacking bodies: what comes out is what was packed, and never more than the limit."""

from __future__ import annotations

import gzip
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.faults import BadSyntax, TooLarge, UnknownEncoding
from api.unpacking import unpacked
from ledger.settings import BODY_BYTES_MAX


def take(encoding: str, *parts: bytes) -> bytes:
    unpacking = unpacked(encoding)
    for part in parts:
        unpacking.take(part)
    return unpacking.body()


@given(st.binary(max_size=3_000), st.lists(st.integers(0, 200), max_size=5))
def test_it_comes_out_as_it_went_in_however_it_was_cut(body: bytes, cuts: list[int]) -> None:
    for encoding, packed in (("", body), ("identity", body), ("gzip", gzip.compress(body))):
        ends = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
        parts = [packed[a:b] for a, b in pairwise(ends)]
        assert take(encoding, *parts) == body


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_the_limit_counts_what_comes_out(encoding: str) -> None:
    def packed(size: int) -> bytes:
        return gzip.compress(b"x" * size) if encoding else b"x" * size

    assert len(take(encoding, packed(BODY_BYTES_MAX))) == BODY_BYTES_MAX
    with pytest.raises(TooLarge):
        take(encoding, packed(BODY_BYTES_MAX + 1))


def test_a_bomb_does_not_go_off() -> None:
    bomb = gzip.compress(b"\0" * (256 * 2**20))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            take("gzip", bomb)
        assert tracemalloc.get_traced_memory()[1] < 3 * BODY_BYTES_MAX
    finally:
        tracemalloc.stop()


def test_packed_bytes_are_bounded_too() -> None:
    with pytest.raises(TooLarge):
        # Empty blocks: nothing comes out of them, ever.
        take("gzip", gzip.compress(b"")[:10], *[b"\0\0\0\xff\xff" * 200_000] * 9)


def test_what_is_no_gzip_is_refused() -> None:
    packed = gzip.compress(b"body")
    for bad in (
        b"",
        b"body",
        packed[:-1],
        packed[:5],
        packed + b"\0",
        packed + packed,
        packed[:-8] + b"\0" * 8,
    ):
        for parts in ((bad,), tuple(bytes([byte]) for byte in bad)):
            with pytest.raises(BadSyntax):
                take("gzip", *parts)


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "gzip;q=1", "x" * 500])
def test_another_encoding_is_not_understood(encoding: str) -> None:
    with pytest.raises(UnknownEncoding) as caught:
        take(encoding, b"")
    assert len(str(caught.value)) < 120
