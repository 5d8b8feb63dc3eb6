"""Repeated keys: a JSON object that names one thing twice says two things, and which of them counts depends on who reads it.

Invariants: pure; looks for repeats and nothing else: a body that is no JSON, or is nested too deeply, is left to whoever reads it. Keys count as
they are spelt out, so that an escaped letter is that letter. Errors: BadSyntax, naming the key."""

from __future__ import annotations

import re
from json import JSONDecoder
from typing import Any, Final

from api.faults import BadSyntax

_NAME_LENGTH_MAX: Final = 100  # characters of a key that are said back


def once(pairs: list[tuple[str, Any]]) -> None:
    """Read an object, of which nothing is kept: for `object_pairs_hook`. Raises BadSyntax."""
    if len(pairs) > 1 and len(dict(pairs)) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadSyntax(f"The body has the key {twice[:_NAME_LENGTH_MAX]!r} twice in one object.")


_scanned: Final[Any] = JSONDecoder(object_pairs_hook=once).scan_once  # type: ignore[attr-defined]


# What most events say: their name, and nothing else.
BARE: Final = re.compile(rb'\{"event": ?"[a-z_]{1,20}"\}')


def refuse(body: bytes) -> None:
    """Refuse a JSON body in which an object has a key twice. Bodies that are no JSON objects or lists, such as forms, pass."""
    if BARE.fullmatch(body) is not None:
        return
    if body[:1] not in b"{[":
        body = body.lstrip()
        if body[:1] not in b"{[":
            return
    # What stands behind it makes it no JSON, whatever that is.
    try:
        _scanned(body.decode(), 0)
    except (ValueError, RecursionError, StopIteration):
        return
