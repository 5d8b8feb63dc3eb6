"""The body of a batch, walked item by item: how many there are and where they stand, without keeping them as objects.

Invariants: pure; the items stay the text that the client sent; a list that is too long is refused before it is read to its end.
Errors: BadSyntax for what is no JSON, Required, Invalid, TooLarge."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from api import repeats
from api.dialects.fullstory.fault import Required
from api.faults import BadSyntax, TooLarge
from ledger.errors import Invalid

_BLANK: Final = re.compile(r"[ \t\n\r]*")


def _no_number(word: str) -> NoReturn:
    raise BadSyntax(f"The body is not JSON: {word} is no number.")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_number, object_pairs_hook=repeats.once)


@dataclass(frozen=True, slots=True)
class Body:
    """A batch as it was sent: its items as the JSON text of a list, their number, and what they share."""

    items: str
    count: int
    shared: str | None = None


def read(body: bytes, items_max: int) -> Body:
    """The batch that a body holds."""
    try:
        text = body.decode()
        return _read(text, items_max)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadSyntax(f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise BadSyntax("The body is nested too deeply.") from error


def _read(text: str, items_max: int) -> Body:
    items: tuple[int, int, int] | None = None
    shared: str | None = None
    seen: list[tuple[str, None]] = []
    for name, start in _members(walk := _Walk(text)):
        seen.append((name, None))
        repeats.once(seen)
        if name == "requests":
            if not walk.sees("["):
                raise Invalid("requests is a list of events.", field="requests")
            items = (start, *_counted(walk, items_max))
        elif name == "shared":
            walk.value()
            shared = text[start : walk.at]
        else:
            raise Invalid(f"There is no field {name[:100]!r} in a batch.", field=name[:100])
    if items is None or items[2] == 0:
        raise Required("requests is required", field="requests")
    start, end, count = items
    return Body(text[start:end], count, _checked(shared))


def _members(walk: _Walk) -> Iterator[tuple[str, int]]:
    """Each member of the body's object: its name, and where its value begins. Whoever asks for the next has walked over the value."""
    walk.expect("{")
    if walk.sees("}"):
        walk.expect("}")
    else:
        while True:
            name = walk.value()
            if not isinstance(name, str):
                raise walk.lost()
            walk.expect(":")
            yield name, walk.at
            if walk.sees("}"):
                walk.expect("}")
                break
            walk.expect(",")
    if walk.at != len(walk.text):
        raise walk.lost()


def _counted(walk: _Walk, items_max: int) -> tuple[int, int]:
    """Walk over a list: where it ends, and how many items it has."""
    walk.expect("[")
    count = 0
    while count or not walk.sees("]"):
        walk.value()
        count += 1
        if count > items_max:
            raise TooLarge(f"A batch holds at most {items_max} items.")
        if walk.sees("]"):
            break
        walk.expect(",")
    end = walk.at + 1
    walk.expect("]")
    return end, count


def _checked(shared: str | None) -> str | None:
    if shared is None or (said := json.loads(shared)) is None:
        return None
    if not isinstance(said, dict) or not all(isinstance(one, dict) for one in said.values()):
        raise Invalid("shared is an object that holds a context.", field="shared")
    if unknown := set(said) - {"context"}:
        raise Invalid(f"shared holds a context, and no {min(unknown)[:100]!r}.", field="shared")
    return shared


class _Walk:
    """A place in a JSON text; blanks before it are skipped."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._skip()

    def sees(self, sign: str) -> bool:
        return self.text.startswith(sign, self.at)

    def expect(self, sign: str) -> None:
        if not self.sees(sign):
            raise self.lost()
        self.at += len(sign)
        self._skip()

    def value(self) -> Any:
        said, self.at = _DECODER.raw_decode(self.text, self.at)
        self._skip()
        return said

    def lost(self) -> BadSyntax:
        return BadSyntax(f"The body is not the JSON of a batch: see character {self.at}.")

    def _skip(self) -> None:
        blank = _BLANK.match(self.text, self.at)
        assert blank is not None, "no blank is a blank too"
        self.at = blank.end()
