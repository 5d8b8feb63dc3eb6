"""Arrays as PostgreSQL's binary protocol has them, of cells that were encoded one by one.

Invariants: a cell is its length and its bytes, and the same cell may stand in many places of an array; arrays are joined cell by cell; psycopg sends
an array as it is, and the server knows from the place that it stands in what it is of. Units: times to the microsecond, in UTC.
Errors: UnicodeEncodeError."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

import psycopg
from psycopg import pq
from psycopg.adapt import Dumper

# What an array is of, by PostgreSQL's own numbers of its types.
UUIDS: Final = 2950
BIGINTS: Final = 20
TEXTS: Final = 25
BYTEAS: Final = 17
TIMES: Final = 1184

NULL: Final = b"\xff\xff\xff\xff"
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HEADER: Final = Struct(">iii")  # dimensions, whether there may be nulls, the type
_DIMENSION: Final = Struct(">ii")  # how many, from which index on
_UUID_LENGTH: Final = b"\0\0\0\x10"
_UUID_CELL_BYTES: Final = len(_UUID_LENGTH) + 16
_length: Final = Struct(">i").pack
_bigint: Final = Struct(">iq").pack


class Array(NamedTuple):
    """An array: what it is of, how many cells it has, and those."""

    of: int
    length: int
    cells: bytes


class _ArrayDumper(Dumper):
    format = pq.Format.BINARY

    def dump(self, obj: Array) -> bytes:
        if not obj.length:
            return _HEADER.pack(0, 0, obj.of)
        return b"".join((_HEADER.pack(1, 1, obj.of), _DIMENSION.pack(obj.length, 1), obj.cells))


psycopg.adapters.register_dumper(Array, _ArrayDumper)


def array(of: int, cells: Sequence[bytes]) -> Array:
    """An array of these cells."""
    return Array(of, len(cells), b"".join(cells))


def joined(parts: Sequence[Array]) -> Array:
    """One array of what is in several, of which there is one at least."""
    length = sum(part.length for part in parts)
    return Array(parts[0].of, length, b"".join([part.cells for part in parts]))


def uuid(octets_16: bytes) -> bytes:
    """A cell of a UUID, by its bytes."""
    return _UUID_LENGTH + octets_16


def uuids(count: int) -> bytes:
    """Cells of so many UUIDs of nothing but random bits. What all cells have in common is written into all of them at once."""
    cells = bytearray(os.urandom(_UUID_CELL_BYTES * count))
    for place, octet in enumerate(_UUID_LENGTH):
        cells[place::_UUID_CELL_BYTES] = bytes((octet,)) * count
    return bytes(cells)


def bigint(value: int) -> bytes:
    """A cell of an integer."""
    return _bigint(8, value)


def time(value: datetime | None) -> bytes:
    """A cell of a time, or of none."""
    return NULL if value is None else _bigint(8, (value - _EPOCH) // _MICROSECOND)


def octets(value: bytes) -> bytes:
    """A cell of bytes."""
    return _length(len(value)) + value


def text(value: str) -> bytes:
    """A cell of a text."""
    return octets(value.encode())


@lru_cache(maxsize=1_000)
def word(value: str | None) -> bytes:
    """A cell of a text that comes again and again, or of none."""
    return NULL if value is None else text(value)
