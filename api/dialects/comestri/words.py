"""Words: a request's parameters, read one by one.

Invariants: a parameter without a value counts as absent, and an unknown one is left alone, as the product's framework has it.
Errors: Invalid, with the product's own sentence for a number."""

from __future__ import annotations

import re
from dataclasses import dataclass

from api.operation import Asked
from ledger.errors import Invalid
from projections.filters import FILTERS, Condition, Value

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Words:
    """The parameters of a request, in order."""

    pairs: tuple[tuple[str, str], ...]

    def many(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter, each once."""
        return tuple(dict.fromkeys(word for key, word in self.pairs if key == name and word))

    def one(self, name: str) -> str | None:
        """The value of a parameter that has one."""
        found = self.many(name)
        if len(found) > 1:
            raise wrong(name, "Must be given once.")
        return found[0] if found else None

    def number(self, name: str, default: int, most: int) -> int:
        """The value of a parameter that counts from 1."""
        word = self.one(name)
        if word is None:
            return default
        if not _NUMBER.fullmatch(word):
            raise wrong(name, "Must be a number.")
        if not 1 <= int(word) <= most:
            raise wrong(name, f"Must be a number from 1 to {most}.")
        return int(word)


def read(asked: Asked) -> Words:
    """The parameters of a request."""
    return Words(asked.query)


def condition(name: str, filter_name: str, *words: str) -> Condition:
    """What a parameter asks of a job."""
    row = FILTERS[filter_name]
    values: list[Value] = []
    for word in words:
        try:
            values.append(row.parse(word))
        except ValueError as error:
            raise wrong(name, str(error)) from error
    return Condition(row, tuple(values))


def wrong(name: str, sentence: str) -> Invalid:
    """A parameter that does not fit."""
    return Invalid(f"{name}: {sentence}", field=name, problems=((name, sentence),))
