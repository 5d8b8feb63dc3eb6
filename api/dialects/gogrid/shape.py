"""Shapes: what an answer holds, before any format.

Invariants: pure; a shape says everything that its three renderings say. Units: times are milliseconds since 1970, `start` counts objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from api.dialects.gogrid import options
from api.dialects.gogrid.moments import milliseconds
from api.dialects.gogrid.options import Option
from ledger.events import Json
from ledger.job import Job, Stay
from ledger.settings import COUNT_MAX

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


def shown(job: Job) -> ShownJob:
    """A job of the ledger."""
    states = options.states(job.history)
    return ShownJob(
        id=job.number,
        owner=job.owner,
        createdon=milliseconds(job.created_at),
        lastupdatedon=milliseconds(job.updated_at),
        attempts=job.attempts,
        history=tuple(_entry(*pair) for pair in zip(job.history, states, strict=True)),
        currentstate=states[-1],
        command=options.command(job.command),
        objecttype=options.object_type(job.type),
        detail=job.detail,
    )


def _entry(stay: Stay, state: Option) -> Entry:
    at = None if stay.at is None else milliseconds(stay.at)
    return Entry(id=entry_id(stay), state=state, note=stay.note, updatedon=at)


def entry_id(stay: Stay) -> int:
    """The entry's number at its source where it has one, else its position in the ledger."""
    word = stay.source_id or ""
    number = int(word) if _DECIMAL.fullmatch(word) else 0
    return number if 0 < number <= COUNT_MAX else stay.position
