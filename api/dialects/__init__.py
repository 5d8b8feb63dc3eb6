"""DIALECTS: who the ledger speaks to. A new speaker is one file beside this one and one row here.

Invariants: a path belongs to the dialect with the longest prefix that it starts with, be it without the slash at its end; the native one takes
what is left."""

from __future__ import annotations

from api.dialects.comestri import comestri
from api.dialects.dialect import Dialect
from api.dialects.fullstory import FULLSTORY
from api.dialects.geoop import GEOOP
from api.dialects.gogrid import GOGRID
from api.dialects.native import NATIVE
from api.dialects.openlineage import OPENLINEAGE
from api.dialects.orange import ORANGE
from api.place import operator_settings

_chosen = operator_settings()

DIALECTS: tuple[Dialect, ...] = (
    NATIVE,
    GOGRID,
    comestri(_chosen.comestri_utc_offset, _chosen.comestri_canceled_result),
    ORANGE,
    GEOOP,
    OPENLINEAGE,
    FULLSTORY,
)


# The longest first, so that the first that fits is the one.
_PREFIXES = tuple(
    sorted(
        ((prefix, dialect) for dialect in DIALECTS for prefix in dialect.prefixes),
        key=lambda row: (-len(row[0]), row[1].name),
    )
)


def dialect_of(path: str) -> Dialect:
    """Whose path this is."""
    path += "/"
    for prefix, dialect in _PREFIXES:
        if path.startswith(prefix):
            return dialect
    return NATIVE
