"""What a row of a table says of the job itself, as the event of its creation.

Invariants: what the map makes of the cells is judged by the event's own model, but for what is plain to see; the body is what the codec would write.
Errors: Bad, which names the column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple
from uuid import UUID

import pydantic_core
from pydantic import ValidationError

from api.transfer import cells
from api.transfer.lines import Bad
from api.transfer.map import Cell, JobMap
from ledger import codec, settings
from ledger.events import Created, Envelope

_READ: Final[dict[str, Callable[[Any], Any]]] = {"number": cells.whole, "id": cells.uuid}
_NEEDED: Final = frozenset(
    name for name, field in Created.model_fields.items() if field.is_required()
)
_BARE: Final = Created(type="-", owner="-")
_UNSAID: Final = {
    name: field.default for name, field in Created.model_fields.items() if name not in _NEEDED
}


class _Field(NamedTuple):
    name: str
    column: str | None
    get: cells.Get
    read: Callable[[Any], Any]
    default: Any


class Told(NamedTuple):
    """The job's id where the row has one, its creation and the body of that, and whether its number is ours, drawn or yet to be."""

    job_id: UUID | None
    event: Created
    state: bytes
    drawn: bool


class Creation:
    """The [job] of a map, ready to read rows. `cell` says how a column's cell is got; `new_number` gives the numbers where the map has none.

    Where it has one, a row that brings none is told without: how many such rows there are cannot be known before they are read."""

    def __init__(
        self,
        map_: JobMap,
        cell: Callable[[str], cells.Get],
        envelope: Envelope,
        new_number: Callable[[], int],
    ) -> None:
        self._envelope = envelope
        self._new_number = new_number if map_.number is None else lambda: None
        # In the order in which the model has them, since that is the order of the body; a number that is drawn stands in the middle.
        order = ("id", *Created.model_fields)
        behind = order.index("number") + 1
        self._fields, self._further = (
            tuple(_field(name, said, cell) for name in names if (said := getattr(map_, name, None)))
            for names in (order[:behind], [name for name in order[behind:] if name != "detail"])
        )
        self._detail = tuple(
            _Field(
                one.name or one.column,
                one.column,
                cell(one.column),
                cells.READINGS[one.reading],
                None,
            )
            for one in map_.detail
        )
        self._head = head(envelope)

    def told(self, row: Any) -> Told:
        """What a row says. Raises Bad, or LedgerError when it cannot be stored."""
        fields, further = _read(self._fields, row), _read(self._further, row)
        job_id, drawn = fields.pop("id", None), "number" not in fields
        if job_id is None and drawn and "source_id" not in further:
            raise Bad("The row has neither source_id nor number nor id.")
        if drawn and (number := self._new_number()) is not None:
            fields["number"] = number
        fields |= further
        if self._detail:
            fields["detail"] = _read(self._detail, row)
        if _is_plain(fields):
            state = b"%b%b}" % (self._head, pydantic_core.to_json(fields))
            if len(state) <= settings.EVENT_BYTES_MAX:
                return Told(job_id, Created.of_checked({**_UNSAID, **fields}), state, drawn)
        try:
            event = Created.model_validate(fields)
        except ValidationError as error:
            raise Bad(self._fault(error)) from error
        return Told(job_id, event, codec.encode(event, self._envelope), drawn)

    def _fault(self, error: ValidationError) -> str:
        name = str(error.errors(include_url=False)[0]["loc"][0])
        fields = (*self._fields, *self._further)
        column = next((field.column for field in fields if field.name == name), None)
        return f"{place(name, column)}: {sentence(error)}"


def head(envelope: Envelope) -> bytes:
    """A body from its start to where the event's fields stand."""
    return codec.encode(_BARE, envelope).removesuffix(b'{"type":"-","owner":"-"}}')


def _field(name: str, cell: Cell, get: Callable[[str], cells.Get]) -> _Field:
    read = _READ.get(name, cells.text)
    if cell.column is not None:
        return _Field(name, cell.column, get(cell.column), read, cell.default)
    return _Field(name, None, lambda _: cell.value, read, None)


def _read(fields: Iterable[_Field], row: Any) -> dict[str, Any]:
    told = {}
    for name, column, get, read, default in fields:
        value = get(row)
        if value is None:
            value = default
        if value is not None:
            try:
                told[name] = read(value)
            except Bad as error:
                raise Bad(f"{place(name, column)}: {error}") from None
    return told


def _is_plain(fields: dict[str, Any]) -> bool:
    """Whether the model would take these fields as they are: nearly all rows, in a fifth of the time it takes to ask it."""
    if not fields.keys() >= _NEEDED:
        return False
    for value in fields.values():
        kind = type(value)
        if kind is str:
            if not 0 < len(value) <= settings.WORD_BYTES_MAX or not _is_plain_text(value):
                return False
        elif kind is int:
            if not 0 < value <= settings.COUNT_MAX:
                return False
        elif kind is not dict or not all(map(_is_plain_entry, value.items())):
            return False
    return True


def _is_plain_text(text: str) -> bool:
    return text.isascii() and "\x00" not in text


def _is_plain_entry(entry: tuple[str, Any]) -> bool:
    name, value = entry
    kind = type(value)
    plain = (
        _is_plain_text(value) if kind is str else kind is int and abs(value) <= settings.COUNT_MAX
    )
    return plain and _is_plain_text(name)


def place(name: str, column: str | None) -> str:
    """Where a row's fault is."""
    return name if column is None else f"Column {column!r} ({name})"


def sentence(error: ValidationError) -> str:
    """What pydantic found."""
    return f"{error.errors(include_url=False)[0]['msg'].removeprefix('Value error, ').rstrip('.')}."
