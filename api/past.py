"""The past in a request's words: `as_of=` and what goes with it, the same in every dialect.

Invariants: pure; what was asked as of an earlier moment is answered as if it were that moment, so that nothing of the answer rests on our clock;
every answer names the position it was made for, and one that can never change says so. Errors: Invalid, naming the parameter."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from api.operation import Asked, Parameter, Said
from ledger.errors import Invalid
from ledger.past import AsOf
from ledger.settings import COUNT_MAX
from projections.filters import moment
from projections.question import Then

Pairs = Iterable[tuple[str, str]]

WORDS: Final = frozenset({"as_of", "as_of_kind", "as_of_position"})
PARAMETERS: Final = (
    Parameter(
        "as_of",
        "query",
        "Answer what the ledger said then: a position, or a time (RFC 3339, or a date) that has passed.",
        example="2024-05-30T05:13:26Z",
    ),
    Parameter(
        "as_of_kind",
        "query",
        "What a time in as_of means: what had been recorded by then, or what had occurred by then as far as the ledger knows.",
        {"enum": ["recorded", "occurred"], "default": "recorded"},
    ),
    Parameter(
        "as_of_position",
        "query",
        "With as_of_kind=occurred: as far as the ledger knew at this position; else at its end.",
        {"type": "integer", "minimum": 0},
    ),
)
# Whoever asks again gets the same bytes; but they are one tenant's, so that no shared cache may keep them.
FOR_EVER: Final = ("Cache-Control", "private, max-age=31536000, immutable")
_POSITION = re.compile(r"[0-9]{1,18}")


def of_query(asked: Asked) -> Pairs:
    """The words of a request without a form."""
    return asked.query


def read(pairs: Pairs) -> Then | None:
    """The earlier moment that a request names, if it names one."""
    words: dict[str, str] = {}
    for name, word in pairs:
        if name in WORDS:
            if name in words:
                raise Invalid(f"{name} may be given once.", field=name)
            words[name] = word
    kind = words.get("as_of_kind", "recorded")
    if kind not in ("recorded", "occurred"):
        raise Invalid("as_of_kind is recorded or occurred.", field="as_of_kind")
    if "as_of_position" in words and kind != "occurred":
        raise Invalid("as_of_position goes with as_of_kind=occurred.", field="as_of_position")
    if "as_of" not in words:
        if words:
            raise Invalid("as_of is missing: a position or a time.", field="as_of")
        return None
    word = words["as_of"]
    if kind == "occurred":
        position = words.get("as_of_position")
        known = None if position is None else _position("as_of_position", position)
        return Then(position=known, happened=_moment(word))
    if _POSITION.fullmatch(word):
        return Then(position=_position("as_of", word))
    return Then(recorded=_moment(word))


def _position(name: str, word: str) -> int:
    if not _POSITION.fullmatch(word) or int(word) > COUNT_MAX:
        raise Invalid(f"{name}: A position is a whole number from 0 to {COUNT_MAX}.", field=name)
    return int(word)


def _moment(word: str) -> datetime:
    try:
        return moment(word)
    except ValueError as error:
        raise Invalid(f"as_of: {error}", field="as_of") from error


def go(asked: Asked, as_of: AsOf, now: datetime) -> None:
    """Let what is asked be asked then: the words are taken out, so that they are no parameters of the operation itself."""
    asked.query = tuple(pair for pair in asked.query if pair[0] not in WORDS)
    asked.as_of, asked.now = as_of, now


def words(as_of: AsOf | None) -> dict[str, str]:
    """The words that ask for exactly this moment again."""
    if as_of is None:
        return {}
    if as_of.happened is None:
        return {"as_of": str(as_of.position)}
    return {
        "as_of": as_of.happened.isoformat().replace("+00:00", "Z"),
        "as_of_kind": "occurred",
        "as_of_position": str(as_of.position),
    }


def stamped(said: Said, asked: Asked, then: Then) -> Said:
    """An answer as of a position, with the position; and for ever, unless a later end of the log would be another answer."""
    assert asked.as_of is not None, "only what was led there is stamped"
    headers = [pair for pair in said.headers if pair[0] not in ("Cache-Control", "Ledger-As-Of")]
    headers.append(("Ledger-As-Of", str(asked.as_of.position)))
    open_ended = then.happened is not None and then.position is None
    headers.append(("Cache-Control", "no-cache") if open_ended else FOR_EVER)
    return said._replace(headers=tuple(headers))
