"""Words of a request, read one by one: numbers, headers, parameters that may come once.

Invariants: pure; an unknown or repeated parameter is refused with its name, since a misspelt filter must not answer everything."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from uuid import UUID

from api.operation import Asked
from ledger import settings
from ledger.commands import Key
from ledger.errors import Invalid

_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"')
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_key(asked: Asked) -> Key | None:
    """The request's Idempotency-Key, bound to what was asked: method, path and body."""
    word = asked.headers.get("idempotency-key")
    if word is None:
        return None
    if not _KEY.fullmatch(word):
        raise Invalid(
            "Idempotency-Key is 1 to 255 visible ASCII characters.", field="Idempotency-Key"
        )
    asked_for = f"{asked.method} {asked.path}\n".encode() + asked.body
    return Key(asked.who.project, word, hashlib.sha256(asked_for).digest())


def if_match(asked: Asked) -> int | None:
    """The job version that the request insists on."""
    word = asked.headers.get("if-match")
    if word is None or word == "*":
        return None
    match = _ETAG.fullmatch(word.strip())
    if not match:
        raise Invalid('If-Match is the ETag of the job, such as "3".', field="If-Match")
    return int(match[1])


def job_id(asked: Asked) -> UUID:
    """The job that the path names."""
    try:
        return UUID(asked.path_params["id"])
    except ValueError as error:
        raise Invalid("id: A job's id is a UUID.", field="id") from error


def min_position(asked: Asked, words: dict[str, str]) -> int:
    """The position that the read models must have reached: min_position=, or the header Ledger-Min-Position."""
    if "min_position" not in words and "ledger-min-position" in asked.headers:
        words = {**words, "min_position": asked.headers["ledger-min-position"]}
    return whole(words, "min_position", 0, 0, settings.COUNT_MAX)


def whole(words: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number within bounds."""
    word = words.get(name)
    if word is None:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", word) or not least <= int(word) <= most:
        raise Invalid(f"{name} is a whole number from {least} to {most}.", field=name)
    return int(word)


def single(asked: Asked, known: Collection[str], many: Collection[str] = ()) -> dict[str, str]:
    """The query's words that may come once. An unknown one is refused: a misspelt filter must not answer everything."""
    return single_of(asked.query, known, many)


def single_of(
    given: Iterable[tuple[str, str]], known: Collection[str], many: Collection[str] = ()
) -> dict[str, str]:
    """The same of these words."""
    words: dict[str, str] = {}
    for name, word in given:
        if name in many:
            continue
        if name not in known:
            offered = ", ".join(sorted({*known, *many})) or "none"
            raise Invalid(f"There is no parameter {name!r} here; there is {offered}.", field=name)
        if name in words:
            raise Invalid(f"{name} may be given once.", field=name)
        words[name] = word
    return words
