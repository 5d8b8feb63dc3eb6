"""Shapes: what an answer holds, before any format.

Invariants: pure; a shape says everything that its three renderings say. Units: times are milliseconds since 1970, `start` counts objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Entry:
    """One state that a job entered. `updatedon` is None where its source gave no time."""

    id: int
    state: Option
    note: str | None
    updatedon: int | None


@dataclass(frozen=True, slots=True)
class ShownJob:
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


@dataclass(frozen=True, slots=True)
class Fault:
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
        history: Sequence[Stay | row.Entry] = row.entries(job.history)
        detail = None if job.detail is None else pydantic_core.from_json(job.detail)
    else:
        history, detail = job.history, job.detail
    states = options.states(history)
    return ShownJob(
        id=job.number,
        owner=job.owner,
        createdon=milliseconds(job.created_at),
        lastupdatedon=milliseconds(job.updated_at),
        attempts=job.attempts,
        history=tuple(_entry(*pair) for pair in zip(history, states, strict=True)),
        currentstate=states[-1],
        command=options.command(job.command),
        objecttype=options.object_type(job.type),
        detail=detail,
    )


def _entry(stay: Stay | row.Entry, state: Option) -> Entry:
    at = datetime.fromisoformat(stay.at) if isinstance(stay.at, str) else stay.at
    updatedon = None if at is None else milliseconds(at)
    return Entry(id=entry_id(stay), state=state, note=stay.note, updatedon=updatedon)


def entry_id(stay: Stay | row.Entry) -> int:
    """The entry's number at its source where it has one, else its position in the ledger."""
    word = stay.source_id or ""
    number = int(word) if _DECIMAL.fullmatch(word) else 0
    return number if 0 < number <= COUNT_MAX else stay.position
