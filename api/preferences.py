"""Preferences: how a client would like its answer, as the header Prefer says (RFC 7240).

Invariants: pure; what nobody here knows is passed over, and whatever is no preference at all; of one that is named twice the first counts, known
or not. Errors: none."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, get_args

from api.operation import Asked

Preference = Literal["respond-async", "return=minimal", "return=representation"]
_KNOWN: Final[tuple[Preference, ...]] = get_args(Preference)

# Of a longer header nothing is read, since to cut it might make a preference of half a word.
LENGTH_MAX: Final = 1_024

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
# What stands between commas; one within quotes parts nothing. It never fails half-way, so that a long header costs no more than its length.
_PART: Final = re.compile(r'(?:[^",]+|"(?:[^"\\]|\\.)*"?)+')
# A name, perhaps its value, and parameters behind semicolons, of which no preference known here has any.
_PREFERENCE: Final = re.compile(
    rf"\s*(?P<name>{_WORD})\s*(?:=\s*(?P<value>{_WORD}|{_QUOTED})?\s*)?(?:;.*)?"
)


def prefers(asked: Asked, preference: Preference) -> bool:
    """Whether the request has this preference."""
    return preference in preferences(asked)


def preferences(asked: Asked) -> tuple[Preference, ...]:
    """Those of a request that are known here."""
    text = asked.headers.get("prefer")
    if text is None or len(text) > LENGTH_MAX:
        return ()
    return _read(text)


# A client says the same with each of its requests.
@lru_cache(maxsize=64)
def _read(text: str) -> tuple[Preference, ...]:
    values: dict[str, str] = {}
    for part in _PART.findall(text):
        match = _PREFERENCE.fullmatch(part)
        if match is not None:
            values.setdefault(match["name"].lower(), _unquoted(match["value"] or "").lower())
    # A value that is empty is none.
    given = {f"{name}={value}" if value else name for name, value in values.items()}
    return tuple(one for one in _KNOWN if one in given)


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
