"""A job in GoGrid's words, JSON, XML and CSV alike.

Invariants: numbers may stand as text; a state goes by its name, else by its id. Units: times are milliseconds since 1970. Errors: pydantic's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from api.dialects.gogrid import options
from api.dialects.gogrid.moments import MILLISECOND
from api.transfer import cells
from api.transfer.foreign.retelling import Told
from api.transfer.lines import Bad
from ledger import settings
from ledger.events import Count, Detail, Text, Word
from ledger.job import State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# GoGrid's words for states -> ours.
STATES = {
    "Created": State.CREATED,
    "Queued": State.QUEUED,
    "Processing": State.PROCESSING,
    "Succeeded": State.SUCCEEDED,
    "Failed": State.FAILED,
    "Canceled": State.CANCELED,
    "Fatal": State.FAILED,
}


def _number(said: Any) -> Any:
    try:
        return cells.whole(said) if isinstance(said, str) else said
    except Bad as error:
        raise ValueError(str(error)) from error


def _moment(count: int) -> datetime:
    try:
        return _EPOCH + count * MILLISECOND
    except OverflowError as error:
        raise ValueError("The time lies outside the years 1 to 9999.") from error


def _state(said: Any) -> Any:
    """An option of a state by its name, or else by its id."""
    if not isinstance(said, dict):
        return said
    name = said.get("name")
    if name is None:
        found = options.find(options.JOB_STATES, str(said.get("id")))
        name = found.name if found else None
    if not isinstance(name, str) or name not in STATES:
        raise ValueError(f"{cells.shown(name)} is none of GoGrid's states.")
    return name


Number = Annotated[int, BeforeValidator(_number), Field(ge=1, le=settings.COUNT_MAX)]
Attempts = Annotated[Count, BeforeValidator(_number)]
Milliseconds = Annotated[
    datetime,
    BeforeValidator(
        lambda said: _moment(said) if isinstance(said, int) and not isinstance(said, bool) else said
    ),
    BeforeValidator(_number),
]
StateName = Annotated[str, BeforeValidator(_state)]


class _Option(Told):
    id: Annotated[int, BeforeValidator(_number)] | None = None
    name: Word


class Entry(Told):
    """An entry of the history. `state` is GoGrid's word for it."""

    id: Number
    state: StateName
    note: Text | None = None
    updatedon: Milliseconds | None = None


class ToldJob(Told):
    """A job."""

    id: Number
    owner: Word
    createdon: Milliseconds
    lastupdatedon: Milliseconds | None = None
    attempts: Attempts | None = None
    command: _Option | None = None
    objecttype: _Option
    currentstate: StateName
    history: Annotated[
        list[Entry],
        BeforeValidator(lambda said: [] if said is None else said),
        Field(max_length=settings.IMPORT_ENTRIES_MAX, default_factory=list),
    ]
    detail: Detail | None = None
