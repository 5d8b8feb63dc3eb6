"""Shapes: what an answer holds, before any format.

Invariants: pure; a shape says everything that its three renderings say. Units: times are milliseconds since 1970, `start` counts objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pydantic_core

from api.dialects.gogrid import options
from api.dialects.gogrid.moments import milliseconds
from api.dialects.gogrid.options import Option
from ledger.events import Json
from ledger.job import Job, Stay
from ledger.settings import COUNT_MAX
from projections import row

_DECIMAL = re.compile(r"[0-9]{1,16}")


class Entry(NamedTuple):
    """One state that a job entered. `updatedon` is None where its source gave no time."""

    id: int
    state: Option
    note: str | None
    updatedon: int | None


class ShownJob(NamedTuple):
    """A job as GoGrid knows it."""

    id: int
    owner: str
    createdon: int
    lastupdatedon: int
    attempts: int
    history: tuple[Entry, ...]
    currentstate: Option
    command: Option
    objecttype: Option
    detail: Mapping[str, Json] | None


class Fault(NamedTuple):
    """What went wrong."""

    message: str
    errorcode: str


Thing = ShownJob | Option | Fault


@dataclass(frozen=True, slots=True)
class Envelope:
    """An answer: some things of one kind out of `total`, from the `start`-th on. `numpages` is 0 when there are no pages, None in a failure."""

    method: str
    kind: type[Thing]
    things: tuple[Thing, ...]
    total: int
    start: int = 0
    numpages: int | None = 0

    @property
    def status(self) -> str:
        """The word of the envelope: success, or failure when it holds a fault."""
        return "failure" if self.kind is Fault else "success"


class Listed(NamedTuple):
    """What a list tells of a job, by the names of its columns."""

    number: int
    owner: str
    created_at: datetime
    updated_at: datetime
    attempts: int
    command: str | None
    type: str
    detail: str | None
    history: str


def shown(job: Job | Listed) -> ShownJob:
    """A job of the ledger, whole or as a list reads it."""
    if isinstance(job, Listed):
        history = _told(job.history)
        detail = None if job.detail is None else pydantic_core.from_json(job.detail)
    else:
        history = [*map(_entry, job.history, options.states(job.history))]
        detail = job.detail
    return ShownJob(
        job.number,
        job.owner,
        milliseconds(job.created_at),
        milliseconds(job.updated_at),
        job.attempts,
        tuple(history),
        history[-1].state,
        options.command(job.command),
        options.object_type(job.type),
        detail,
    )


def _entry(stay: Stay, state: Option) -> Entry:
    updatedon = None if stay.at is None else milliseconds(stay.at)
    return Entry(entry_id(stay.source_id, stay.position), state, stay.note, updatedon)


def _told(history: str) -> list[Entry]:
    """The same from the text that a row has: 200 of a page, so that nothing is made of them in between."""
    found: list[Entry] = []
    states: list[Option] = []
    for position, _, state, at, _, _, note, source_id, kind, final in row.entries(history):
        option = options.failure(kind, final, states) if kind else options.STATES[state]
        states.append(option)
        number = entry_id(source_id, position) if source_id else position
        updatedon = None if at is None else milliseconds(datetime.fromisoformat(at))
        found.append(_made((number, option, note, updatedon)))
    return found


_made = Entry._make  # in half the time of the class itself


def entry_id(source_id: str | None, position: int) -> int:
    """The entry's number at its source where it has one, else its position in the ledger."""
    number = int(source_id) if source_id and _DECIMAL.fullmatch(source_id) else 0
    return number if 0 < number <= COUNT_MAX else position
