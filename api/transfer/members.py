"""Members of JSON objects, written for a whole column of cells at once.

Invariants: what is written is what the codec would write, cell by cell; what a model might refuse, or a reading, is not plain. Units: characters, and
bytes of UTF-8 where a word is meant. Errors: NotPlain, or Bad of a reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import pydantic_core

from api.transfer import cells
from ledger import settings
from ledger.words import fits

Column = Sequence[str]  # the cells of some rows; an empty one is no value

CHARACTER_BYTES_MAX: Final = 4
DIGITS_MAX: Final = 15  # a number of so many is surely no larger than settings.COUNT_MAX


class NotPlain(Exception):
    """These cells must be looked at one by one."""


class Values(NamedTuple):
    """JSON of a column: what `form` makes of each of the values."""

    form: str
    values: Sequence[Any]


class Member(NamedTuple):
    """What `form` makes of a row of these columns: the member with a comma in front, or nothing where the row lacks it."""

    form: str
    columns: Sequence[Sequence[Any]]


Write = Callable[[Column], Values]


def texts(column: Column) -> Values:
    """Texts of any length."""
    together = "".join(column)
    if together.isprintable() and '"' not in together and "\\" not in together:
        return Values('"%s"', column)
    if "\x00" in together:
        raise NotPlain
    try:
        return Values("%s", [pydantic_core.to_json(cell).decode() for cell in column])
    except ValueError as error:
        raise NotPlain from error  # a lone surrogate


def words(column: Column) -> Values:
    """Names and ids."""
    long = max(map(len, column)) > settings.WORD_BYTES_MAX // CHARACTER_BYTES_MAX
    if long and not all(map(fits, column)):
        raise NotPlain
    return texts(column)


def prose(column: Column) -> Values:
    """Descriptions."""
    if max(map(len, column)) > settings.TEXT_LENGTH_MAX:
        raise NotPlain
    return texts(column)


def counts(column: Column) -> Values:
    """Whole numbers without a sign."""
    together = "".join(column)
    if not together.isascii() or not together.isdecimal() or max(map(len, column)) > DIGITS_MAX:
        raise NotPlain
    return Values("%d", list(map(int, column)))


def numbers(column: Column) -> Values:
    """Numbers."""
    try:
        return counts(column)
    except NotPlain:
        return Values("%s", [pydantic_core.to_json(cells.number(cell)).decode() for cell in column])


def truths(column: Column) -> Values:
    """True and false."""
    return Values("%s", ["true" if cells.boolean(cell) else "false" for cell in column])


def json(_: Column) -> Values:
    """JSON, of which the model asks how deep it is."""
    raise NotPlain


# How a map's `as` writes a cell of the detail.
WRITINGS: Final[Mapping[str | None, Write]] = MappingProxyType(
    {None: texts, "text": texts, "number": numbers, "boolean": truths, "json": json}
)


def member(name: str, column: Column, write: Write) -> Member:
    """A member of this name, for each row that has it."""
    quoted = pydantic_core.to_json(name).decode().replace("%", "%%")
    if all(column):
        form, values = write(column)
        return Member(f",{quoted}:{form}", (values,))
    there = [cell for cell in column if cell]
    if not there:
        return Member("", ())
    form, values = write(there)
    told = iter([f",{quoted}:{form}" % value for value in values])
    return Member("%s", ([next(told) if cell else "" for cell in column],))


def of_object(members: Sequence[Member]) -> Member:
    """The object that has these members, without a comma in front."""
    form = "".join(one.form for one in members)
    columns = list(chain.from_iterable(one.columns for one in members))
    if form.startswith(",") or not columns:
        return Member(f"{{{form[1:]}}}", columns)
    # Some rows lack the first, and so it is not known which comma is one too many.
    return Member("{%s}", ([(form % row)[1:] for row in zip(*columns, strict=True)],))
