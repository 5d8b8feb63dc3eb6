"""What rows of a table say of their jobs, column by column: the bodies of their creations, their ids and their names.

Invariants: it is what Creation tells of each row, byte for byte; where that might refuse one, or ask the model about it, nothing is told and no
number drawn. Units: characters. Errors: NotPlain, or Bad of a reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from uuid_utils import uuid7

from api.transfer import cells, members
from api.transfer.map import Cell, JobMap
from api.transfer.members import Column, Member, NotPlain, Values, Write, member
from ledger.events import Created


class _Field(NamedTuple):
    """Where a field's cells stand (None: nowhere), what stands for an empty one, and how its cells are written."""

    name: str
    place: int | None
    default: str
    write: Write

    def of(self, columns: Sequence[Column], count: int) -> Column:
        """Its cells, of so many rows."""
        if self.place is None:
            return (self.default,) * count
        column = columns[self.place]
        return [cell or self.default for cell in column] if self.default else column


class Told(NamedTuple):
    """Of each job its id, the body of its creation, and its names by their kinds, None where it lacks one. `drawn` are the numbers that we gave."""

    ids: Sequence[bytes]
    bodies: Sequence[bytes]
    names: Mapping[str, Sequence[str | None]]
    drawn: Sequence[int]

    @property
    def known_by(self) -> list[tuple[str, str]]:
        """The names that their source gave them."""
        given = [kind for kind in self.names if kind != "number" or not self.drawn]
        return [(kind, name) for kind in given for name in self.names[kind] if name is not None]


class Creations:
    """The [job] of a map, ready to read columns. `head` is a body as far as its event; `new_number` gives the numbers where the map has none.

    Raises NotPlain where no row of this map is plain."""

    def __init__(
        self, map_: JobMap, header: Sequence[str], head: bytes, new_number: Callable[[], int]
    ) -> None:
        places = {name: place for place, name in enumerate(header)}
        self._head = head.decode().replace("%", "%%")
        self._new_number = new_number
        self._numbered = map_.number is not None
        self.by_id = map_.id is not None
        self._fields = [
            _field(name, cell, places)
            for name in ("id", *Created.model_fields)
            if isinstance(cell := getattr(map_, name, None), Cell)
        ]
        self._detail = [
            _Field(one.name or one.column, places[one.column], "", members.WRITINGS[one.reading])
            for one in map_.detail
        ]
        if len({field.name for field in self._detail}) < len(self._detail):
            raise NotPlain  # the last of two with one name counts

    @property
    def said_length(self) -> int:
        """Characters that are in every body, whatever its row says, at most."""
        said = [
            self._head,
            *(f"{field.name}{field.default}" for field in (*self._fields, *self._detail)),
        ]
        return sum(map(len, said))

    def told(self, columns: Sequence[Column], count: int) -> Told:
        """What so many rows say."""
        said = {field.name: field.of(columns, count) for field in self._fields}
        _check(said)
        told = {
            field.name: member(field.name, said[field.name], field.write)
            for field in self._fields
            if field.name != "id"
        }
        if self._detail:
            inner = members.of_object(
                [member(one.name, one.of(columns, count), one.write) for one in self._detail]
            )
            told["detail"] = Member(f',"detail":{inner.form}', inner.columns)
        ids = [
            cells.uuid(cell).bytes if cell else uuid7().bytes
            for cell in said.get("id", ("",) * count)
        ]
        # From here on nothing is refused.
        drawn = [] if self._numbered else [self._new_number() for _ in range(count)]
        if drawn:
            told["number"] = Member(',"number":%d', (drawn,))
        form, values = members.of_object(
            [told[name] for name in Created.model_fields if name in told]
        )
        form = f"{self._head}{form}}}"
        bodies = [(form % row).encode() for row in zip(*values, strict=True)]
        (numbers,) = told["number"].columns
        names: dict[str, Sequence[str | None]] = {"number": list(map(str, numbers))}
        for kind in said.keys() & {"request_id", "source_id"}:
            names[kind] = [cell or None for cell in said[kind]]
        return Told(ids, bodies, names, drawn)


def _field(name: str, cell: Cell, places: Mapping[str, int]) -> _Field:
    write = _WRITINGS.get(name, members.words)
    said = cell.default if cell.column is not None else cell.value
    if said is not None and (name in ("id", "number") or not isinstance(said, str) or not said):
        raise NotPlain
    return _Field(name, None if cell.column is None else places[cell.column], said or "", write)


def _check(said: Mapping[str, Column]) -> None:
    """Each row has what a job needs, and a name of its own. Raises NotPlain."""
    needed = [said[name] for name in ("type", "owner", "number") if name in said]
    names = [said[name] for name in ("id", "number", "source_id") if name in said]
    if not all(map(all, needed)) or not all(map(any, zip(*names, strict=True))):
        raise NotPlain


def _positive(column: Column) -> Values:
    told = members.counts(column)
    if 0 in told.values:
        raise NotPlain
    return told


# How the fields are written that are no names.
_WRITINGS: Final[Mapping[str, Write]] = MappingProxyType(
    {"number": _positive, "description": members.prose}
)
