"""Words: a request's parameters, of its query and of its form body together.

Invariants: a parameter without a value counts as absent, as GoGrid's clients mean it; unknown parameters are left alone, since those clients
send what other methods take. Errors: Invalid for a body that is no form, or one parameter with several values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

from api.operation import Asked
from ledger.errors import Invalid

FORM: Final = "application/x-www-form-urlencoded"
_FIELDS_MAX: Final = 1_000  # as many as a query may have
_VERSION = re.compile(r"1\.[0-9]{1,3}")
_DECIMAL = re.compile(r"[0-9]{1,18}")


class Format(StrEnum):
    """In which format the answer is."""

    JSON = "json"
    XML = "xml"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Words:
    """The parameters in order: those of the query, then those of the body."""

    pairs: tuple[tuple[str, str], ...]

    def many(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter, each once."""
        return tuple(dict.fromkeys(word for key, word in self.pairs if key == name and word))

    def one(self, name: str) -> str | None:
        """The value of a parameter that has one."""
        found = self.many(name)
        if len(found) > 1:
            raise Invalid(f"{name} has several values.", field=name)
        return found[0] if found else None

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """The value of a parameter that is a whole number."""
        word = self.one(name)
        if word is None:
            return default
        if not _DECIMAL.fullmatch(word.strip()) or not least <= int(word) <= most:
            raise Invalid(f"{name} is a whole number from {least} to {most}.", field=name)
        return int(word)

    @property
    def format(self) -> Format:
        """The format asked for; JSON when none is."""
        word = self.one("format") or Format.JSON.value
        try:
            return Format(word.lower())
        except ValueError:
            raise Invalid("format is json, xml or csv.", field="format") from None


def read(asked: Asked) -> Words:
    """The parameters of a request in a version and a format that there is."""
    words = Words((*asked.query, *_form(asked)))
    if words.format and not _VERSION.fullmatch(words.one("v") or ""):
        raise Invalid("v is required: the version of the API, such as 1.8.", field="v")
    return words


def offered(asked: Asked) -> Words:
    """What can be read of a request, for its credential and its faults: never refuses."""
    try:
        return Words((*asked.query, *_form(asked)))
    except Invalid:
        return Words(asked.query)


def fault_format(asked: Asked) -> Format:
    """The format of a fault: the first one asked for that there is, else JSON."""
    known = (word.lower() for word in offered(asked).many("format"))
    return next((Format(word) for word in known if word in set(Format)), Format.JSON)


def _form(asked: Asked) -> tuple[tuple[str, str], ...]:
    if not asked.body or asked.method != "POST":
        return ()
    media_type = asked.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if media_type != FORM:
        raise Invalid(f"The body of a POST is {FORM}.")
    try:
        text = asked.body.decode()
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError as error:
        raise Invalid("The body is no form of percent-encoded UTF-8.") from error
    if any("\x00" in part for pair in pairs for part in pair):
        raise Invalid("The body holds the character U+0000.")
    return tuple(pairs)
