"""Cells of a row, read as what the map says they are.

Invariants: an empty cell is no value; text stays as it is written; a number is read as a whole number where it is one. Errors: Bad."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pydantic_core

from api.transfer.lines import Bad
from ledger.events import Json

Get = Callable[[Any], Json]

SHOWN_MAX = 60  # characters of a cell that a reason quotes
DIGITS_MAX = 100  # digits of a whole number

_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_TRUTH = {
    "true": True,
    "t": True,
    "yes": True,
    "1": True,
    "false": False,
    "f": False,
    "no": False,
    "0": False,
}


def getter(columns: Sequence[str] | None) -> Callable[[str], Get]:
    """How a column's cell is found: by place in rows of a header, by name in JSON objects (None). Empty cells are None."""
    if columns is None:
        return _by_name
    places = {name: place for place, name in enumerate(columns)}
    return lambda name: _at_place(places[name])


def _at_place(place: int) -> Get:
    return lambda row: row[place] or None


def _by_name(name: str) -> Get:
    def get(row: Any) -> Json:
        value: Json = row.get(name)
        return None if value == "" else value

    return get


def text(value: Json) -> str:
    """A cell as text. A whole number of JSON is written out."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise Bad(f"{shown(value)} is no text.")


def whole(value: Json) -> int:
    """A cell as a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value) and len(value) <= DIGITS_MAX:
        return int(value)
    raise Bad(f"{shown(value)} is no whole number.")


def uuid(value: Json) -> UUID:
    """A cell as a UUID."""
    try:
        return UUID(text(value))
    except ValueError as error:
        raise Bad(f"{shown(value)} is no UUID.") from error


def as_it_is(value: Json) -> Json:
    """A cell as the file has it."""
    return value


def number(value: Json) -> Json:
    """A cell as a number: whole where it is written so."""
    if isinstance(value, str):
        if value.isascii() and value.isdecimal() and len(value) <= DIGITS_MAX:
            return int(value)
        try:
            return whole(value) if _WHOLE.fullmatch(value) else _finite(float(value))
        except ValueError:
            pass
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise Bad(f"{shown(value)} is no number.")


def _finite(value: float) -> float:
    if value - value != 0:
        raise ValueError
    return value


def boolean(value: Json) -> bool:
    """A cell as true or false; also yes and no, t and f, 1 and 0."""
    if isinstance(value, bool):
        return value
    truth = _TRUTH.get(text(value).lower())
    if truth is None:
        raise Bad(f"{shown(value)} is neither true nor false.")
    return truth


def json(value: Json) -> Json:
    """A cell that holds JSON."""
    if not isinstance(value, str):
        return value
    try:
        parsed: Json = pydantic_core.from_json(
            value.encode("utf-8", "surrogatepass"), allow_inf_nan=False
        )
    except ValueError as error:
        raise Bad(f"{shown(value)} is no JSON: {error}.") from error
    return parsed


# How a map's `as` reads a cell of the detail.
READINGS: Mapping[str | None, Callable[[Json], Json]] = MappingProxyType(
    {None: as_it_is, "text": text, "number": number, "boolean": boolean, "json": json}
)


def shown(value: Json) -> str:
    """A cell as a reason quotes it."""
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"
