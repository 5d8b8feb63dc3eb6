"""Erasure: an event's body without the values of a person.

Invariants: pure; the body keeps its keys and their order, and all that decides how it folds; an erased value reads `[erased]`; what is erased stays
so, and erasing it again changes nothing. A person's value is found as written, where no letter or digit stands beside it. Errors: Invalid for a
field that cannot be erased."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ledger.errors import Invalid
from ledger.events import Json

MARK: Final = "[erased]"

# What may hold a person's values, by the word that an operator says; `ledger.erased_only` in the database has the same list.
ENVELOPE: Final = ("actor", "request_id", "note", "source_id")
FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "owner": ("event", "owner"),
        "actor": ("actor",),
        "object": ("event", "object"),
        "description": ("event", "description"),
        "note": ("note",),
        "messages": ("event", "messages"),
        "detail": ("event", "detail"),
        "request_id": ("request_id",),
        "source_id": ("source_id",),
    }
)

# A detail of which even the keys are a person's.
NO_DETAIL: Final = {MARK: MARK}


@dataclass(frozen=True, slots=True)
class Person:
    """Whose values. `value` is erased wherever it stands; `fields` are erased whole, each a word of FIELDS or a path into `detail`."""

    value: str | None = None
    fields: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in self.fields:
            if name not in FIELDS and not name.startswith("detail."):
                raise Invalid(
                    f"{name!r} cannot be erased: it is none of {', '.join(FIELDS)} and no path like detail.customer.name.",
                    field="fields",
                )

    @property
    def found(self) -> Callable[[str], bool]:
        """Whether a text holds the person's value."""
        if not self.value:
            return lambda text: False
        pattern = re.compile(rf"(?<!\w){re.escape(self.value)}(?!\w)")
        return lambda text: pattern.search(text) is not None


def without(
    body: Mapping[str, Json], person: Person, *, own: bool
) -> tuple[dict[str, Json], frozenset[str]]:
    """The body without the person's values, and the words of FIELDS that were erased. `own`: the job is the person's, so `fields` go too."""
    erasing = _Erasing(person.found, person.fields if own else frozenset())
    left = {
        name: erasing.word(name, value) if name in ENVELOPE else value
        for name, value in body.items()
    }
    event = body.get("event")
    if isinstance(event, dict):
        left["event"] = {name: erasing.part(name, value) for name, value in event.items()}
    return left, frozenset(erasing.erased)


class _Erasing:
    """One body on its way."""

    def __init__(self, found: Callable[[str], bool], whole: frozenset[str]) -> None:
        self._found = found
        self._whole = whole
        self.erased: set[str] = set()

    def word(self, field: str, value: Json) -> Json:
        if not isinstance(value, str) or value == MARK:
            return value
        if field in self._whole or self._found(value):
            self.erased.add(field)
            return MARK
        return value

    def part(self, name: str, value: Json) -> Json:
        match name, value:
            case (("owner" | "object" | "description" | "request_id" | "source_id"), _):
                return self.word(name, value)
            case "messages", list():
                return [self._message(one) for one in value]
            case "detail", dict():
                return self._detail(value)
        return value

    def _message(self, message: Json) -> Json:
        if not isinstance(message, dict):
            return message
        return {
            name: self.word("messages", value) if name in ("message", "description") else value
            for name, value in message.items()
        }

    def _detail(self, detail: dict[str, Json]) -> Json:
        if detail == NO_DETAIL:
            return detail
        if "detail" in self._whole or any(map(self._found, detail)):
            self.erased.add("detail")
            return dict(NO_DETAIL)
        return {name: self._inside(f"detail.{name}", value) for name, value in detail.items()}

    def _inside(self, path: str, value: Json) -> Json:
        if value == MARK:
            return value
        if path in self._whole:
            self.erased.add("detail")
            return MARK
        match value:
            case str():
                return self.word("detail", value)
            case list():
                return [self._inside(f"{path}.{nth}", one) for nth, one in enumerate(value)]
            case dict() if any(map(self._found, value)):
                self.erased.add("detail")
                return MARK
            case dict():
                return {name: self._inside(f"{path}.{name}", one) for name, one in value.items()}
        return self._number(value)

    def _number(self, value: Json) -> Json:
        # A person's number may be a value too: 4711 is found where "4711" was asked for.
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and self._found(str(value))
        ):
            self.erased.add("detail")
            return MARK
        return value
