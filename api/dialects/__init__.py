"""DIALECTS: who the ledger speaks to. A new speaker is one file beside this one and one row here.

Invariants: a path belongs to the dialect with the longest prefix that it starts with; the native one takes what is left."""

from __future__ import annotations

from api.dialects.dialect import Dialect
from api.dialects.gogrid import GOGRID
from api.dialects.native import NATIVE

DIALECTS: tuple[Dialect, ...] = (NATIVE, GOGRID)


def dialect_of(path: str) -> Dialect:
    """Whose path this is."""
    matches = [
        (len(prefix), dialect.name, dialect)
        for dialect in DIALECTS
        for prefix in dialect.prefixes
        if path.startswith(prefix)
    ]
    return max(matches)[2] if matches else NATIVE
