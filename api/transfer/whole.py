"""A whole job, as the API shows it and export writes it, read as the history that makes it again.

Invariants: each state it entered becomes an event with its time, note, actor and old id; what else the job says (messages, totals, progress) is
told in events without a time of their own. A job that its history cannot lead to is refused, never bent. Errors: Bad."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.transfer.lines import Bad, Row, sentence
from ledger import imported, store
from ledger.errors import LedgerError
from ledger.events import (
    Canceled,
    Count,
    Created,
    Envelope,
    Event,
    Failed,
    FailureKind,
    ItemsReported,
    Message,
    Moment,
    Noted,
    Progressed,
    Queued,
    Started,
    Succeeded,
    Text,
    Word,
)
from ledger.imported import Claim, History
from ledger.job import Job, State

# What must come out as it went in; positions, versions and times of record are each ledger's own.
KEPT = (
    *(
        "id",
        "number",
        "type",
        "command",
        "object",
        "owner",
        "request_id",
        "source_id",
        "description",
    ),
    *("detail", "state", "kind", "final", "attempts", "progress", "error_count", "messages"),
    *("items_total", "items_succeeded", "items_failed"),
    *("created_at", "updated_at", "started_at", "ended_at", "ended_by"),
)

_LATER = datetime(
    9000, 1, 1, tzinfo=UTC
)  # whether a time lies ahead is judged when the history is imported


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Stay(_Part):
    position: int
    state: Annotated[State, Field(strict=False)]
    at: Moment | None
    actor: Word
    note: Text | None = None
    source_id: Word | None = None
    kind: Annotated[FailureKind | None, Field(strict=False)] = None
    final: bool = False


class _Failure(_Part):
    kind: Annotated[FailureKind, Field(strict=False)]
    final: bool


class _Items(_Part):
    total: Count | None = None
    succeeded: Count = 0
    failed: Count = 0


class _Job(Created):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, frozen=True)

    id: UUID
    project: Word
    created_at: Moment
    updated_at: Moment
    started_at: Moment | None = None
    ended_at: Moment | None = None
    ended_by: Word | None = None
    state: Annotated[State, Field(strict=False)]
    failure: _Failure | None = None
    attempts: int = 0
    progress: float = 0.0
    error_count: int = 0
    items: _Items = Field(default_factory=_Items)
    history: Annotated[tuple[_Stay, ...], Field(strict=False, min_length=1)]


class Whole:
    """How whole jobs are read. `project` is where all go, None where each says it."""

    def __init__(self, *, project: str | None) -> None:
        self._project = project

    def history(self, row: Row) -> History:
        """What a job tells. Raises Bad."""
        if isinstance(row.cells, Bad):
            raise row.cells
        try:
            told = _Job.model_validate_json(pydantic_core.to_json(row.cells))
            return self._history(told, row)
        except ValidationError as error:
            raise Bad(sentence(error)) from error
        except LedgerError as error:
            raise Bad(str(error)) from error

    def _history(self, told: _Job, row: Row) -> History:
        project = self._project or told.project
        history = History(project, told.id, (), [], {row.line: row.raw}, by_id=True)
        for event, stay in _events(told):
            actor = stay.actor if stay else told.history[-1].actor
            envelope = Envelope(project, actor, imported.CREDENTIAL, imported=True)
            if stay is not None:
                source_id = stay.source_id or str(stay.position)
                envelope = Envelope(
                    project,
                    actor,
                    imported.CREDENTIAL,
                    note=stay.note,
                    source_id=source_id,
                    imported=True,
                )
            history.claims.append(
                Claim.of(event, envelope, stay.at if stay else None, None, row.line)
            )
        history.names = tuple(store.identities_of(_creation(told)))
        _make_equal(history, told, row.line)
        return history


def _creation(told: _Job) -> Created:
    fields = {name: getattr(told, name) for name in Created.model_fields}
    first = told.history[0]
    fields |= {
        "messages": (),
        "created_at": None if first.at == told.created_at else told.created_at,
    }
    return Created.model_construct(**fields)


def _events(told: _Job) -> Iterator[tuple[Event, _Stay | None]]:
    """The events in order, with the stay that each began, if it did."""
    if told.history[0].state is not State.CREATED:
        raise Bad("The history does not begin with Created.")
    starts = [nth for nth, stay in enumerate(told.history) if stay.state is State.PROCESSING]
    last = len(told.history) - 1
    for nth, stay in enumerate(told.history):
        messages = told.messages if nth == last else ()
        yield _event(told, stay, messages), stay
        if starts and nth == starts[-1]:
            yield from ((event, None) for event in _remarks(told))


def _event(told: _Job, stay: _Stay, messages: tuple[Message, ...]) -> Event:
    match stay.state:
        case State.CREATED:
            return _creation(told).model_copy(update={"messages": messages})
        case State.QUEUED:
            return Queued(messages=messages)
        case State.PROCESSING:
            return Started(messages=messages)
        case State.SUCCEEDED:
            return Succeeded(messages=messages)
        case State.CANCELED:
            return Canceled(messages=messages)
    never_ran = not any(other.state is State.PROCESSING for other in told.history)
    errors = told.error_count if never_ran and told.error_count else None
    kind = stay.kind or FailureKind.EXCEPTION
    return Failed(kind=kind, final=stay.final, error_count=errors, messages=messages)


def _remarks(told: _Job) -> Iterator[Event]:
    """What a job that ran says beside its states."""
    items, progress = told.items, 0.0
    if items != _Items() or told.error_count:
        done = items.succeeded + items.failed
        progress = min(1.0, done / items.total) if items.total else progress
        yield ItemsReported(
            total=items.total,
            succeeded=items.succeeded,
            failed=items.failed,
            error_count=told.error_count,
        )
    failed = told.failure
    complete = failed is not None and failed.final and failed.kind is FailureKind.ITEM_ERRORS
    if told.progress != progress and told.state is not State.SUCCEEDED and not complete:
        yield Progressed(progress=told.progress)


def _make_equal(history: History, told: _Job, line: int) -> None:
    """Add when the job last changed, if no state says it, and refuse a job that comes out otherwise."""
    job = _folded(history)
    if job.updated_at != told.updated_at:
        envelope = history.claims[-1].envelope
        bare = Envelope(history.project, envelope.actor, imported.CREDENTIAL, imported=True)
        history.claims.append(Claim.of(Noted(), bare, told.updated_at, None, line))
        job = _folded(history)
    failure = {"kind": None, "final": False} if told.failure is None else dict(told.failure)
    items = {f"items_{name}": value for name, value in told.items}
    for name in KEPT:
        ours = getattr(job, name)
        theirs = {**failure, **items}[name] if name in (*failure, *items) else getattr(told, name)
        if ours != theirs:
            raise Bad(f"Its history leads to the {name} {ours!r}, but the job says {theirs!r}.")


def _folded(history: History) -> Job:
    decided = imported.decided(None, history, history.claims, _LATER)
    if decided.refused is not None:
        raise decided.refused[1]
    assert decided.job is not None
    return decided.job
