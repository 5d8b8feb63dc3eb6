"""Cursors: where the next page begins, as an opaque word.

Invariants: `decode(encode(x)) == x` by law; a cursor is bound to its project, filters and order, so that it cannot be used on another list.
Errors: Invalid for a word that is none of ours, or that belongs to another list."""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import lru_cache

import pydantic_core

from ledger.errors import Invalid
from ledger.past import AsOf
from ledger.settings import COUNT_MAX, STATEMENTS_KEPT_MAX
from projections.filters import Condition, Sort
from projections.question import After, Query

_LENGTH_MAX = 4_096  # characters: sort values are names of at most 512


def encode(after: After, query: Query) -> str:
    """The word for the page of `query` behind `after`."""
    parts = [list(after.values), after.number, _list_of(query)]
    return base64.urlsafe_b64encode(pydantic_core.to_json(parts)).decode().rstrip("=")


def decode(word: str, query: Query) -> After:
    """The page that a word means. `query` is the list it is used on, its window aside."""
    if len(word) > _LENGTH_MAX:
        raise _bad()
    try:
        parts = pydantic_core.from_json(
            base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
        )
        values, number, list_of = parts
    except (ValueError, TypeError, binascii.Error) as error:
        raise _bad() from error
    if not _is_after(values, number, query):
        raise _bad()
    if list_of != _list_of(query):
        raise Invalid(
            "The cursor belongs to a list with other filters, another order, or of another moment.",
            field="cursor",
        )
    return After(tuple(values), number)


def _is_after(values: object, number: object, query: Query) -> bool:
    return (
        isinstance(values, list)
        and len(values) == len(query.sort)
        and all(
            value is None or (isinstance(value, str) and "\x00" not in value) for value in values
        )
        and type(number) is int
        and 0 <= number <= COUNT_MAX
    )


def _list_of(query: Query) -> str:
    """What a cursor is bound to, as a short digest."""
    return _digest(query.project, query.conditions, query.sort, query.as_of)


@lru_cache(maxsize=STATEMENTS_KEPT_MAX)
def _digest(
    project: str, asked: tuple[Condition, ...], order: tuple[Sort, ...], as_of: AsOf | None
) -> str:
    conditions = sorted((c.filter.name, sorted(str(value) for value in c.values)) for c in asked)
    words = repr((project, conditions, [(sort.column, sort.descending) for sort in order]))
    if as_of is not None:
        words += repr((as_of.position, str(as_of.happened)))
    return hashlib.sha256(words.encode(errors="surrogatepass")).hexdigest()[:16]


def _bad() -> Invalid:
    return Invalid("The cursor is not one that this ledger gave out.", field="cursor")
