"""Shapes of the native API: what a request body holds and what an answer shows.

Invariants: requests are strict and refuse unknown fields; answers are rendered by `view` and only described here, which a test compares.
Units: times are RFC 3339 with an offset, answers in UTC with Z; progress is a fraction 0..1."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ledger import events, settings
from ledger.events import (
    Created,
    Failed,
    FailureKind,
    ItemsReported,
    Json,
    Message,
    Moment,
    Progressed,
    Text,
)
from ledger.job import State


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class _Told(BaseModel):
    """What a producer may say beside any event."""

    note: Text | None = Field(None, description="A remark for people, kept with the event.")
    occurred_at: Moment | None = Field(
        None, description="When it happened, by the producer's clock; at most a day ahead of ours."
    )


class NewJob(Created, _Told):
    """A job to record. `owner` is the credential's name when absent; `number` is given by the ledger when absent."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    owner: events.Word | None = None  # type: ignore[assignment]


class NewJobs(_Strict):
    """Jobs to record, all or none."""

    jobs: Annotated[
        tuple[NewJob, ...],
        Field(min_length=1, max_length=settings.BATCH_COMMANDS_MAX, strict=False),
    ]


class _NewEvent(_Told):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    job: Annotated[
        UUID | None,
        Field(strict=False, description="The job's id; only where the path names none."),
    ] = None


class NewQueued(events.Queued, _NewEvent):
    """The job waits for a worker."""

    event: Literal["queued", "job.queued"]


class NewStarted(events.Started, _NewEvent):
    """A worker took the job: one more attempt."""

    event: Literal["started", "job.started"]


class NewProgressed(Progressed, _NewEvent):
    """The job came this far."""

    event: Literal["progressed", "job.progressed"]


class NewNoted(events.Noted, _NewEvent):
    """Something worth keeping was said of the job."""

    event: Literal["noted", "job.noted"]


class NewItemsReported(ItemsReported, _NewEvent):
    """Totals of the job's items so far."""

    event: Literal["items_reported", "job.items_reported"]


class NewSucceeded(events.Succeeded, _NewEvent):
    """The job did what was asked."""

    event: Literal["succeeded", "job.succeeded"]


class NewFailed(Failed, _NewEvent):
    """The job failed; when not final, it may be queued again."""

    event: Literal["failed", "job.failed"]


class NewCanceled(events.Canceled, _NewEvent):
    """Somebody called the job off."""

    event: Literal["canceled", "job.canceled"]


NewEvent = Annotated[
    NewQueued
    | NewStarted
    | NewProgressed
    | NewNoted
    | NewItemsReported
    | NewSucceeded
    | NewFailed
    | NewCanceled,
    Field(discriminator="event"),
]


class NewEvents(_Strict):
    """Events to record, in order, all or none."""

    events: Annotated[
        tuple[NewEvent, ...],
        Field(min_length=1, max_length=settings.BATCH_COMMANDS_MAX, strict=False),
    ]


class StayOut(BaseModel):
    """One entry of a job's history. `at` is null only for an imported entry whose source gave no time."""

    position: int
    version: int
    state: State
    at: datetime | None
    recorded_at: datetime
    actor: str
    note: str | None
    source_id: str | None
    kind: FailureKind | None
    final: bool


class FailureOut(BaseModel):
    """How a job failed. Not final: it may be queued again."""

    kind: FailureKind
    final: bool


class ItemsOut(BaseModel):
    """Totals of a job's items."""

    total: int | None
    succeeded: int
    failed: int


class JobOut(BaseModel):
    """A job as it stands."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    number: int
    project: str
    type: str
    command: str | None
    object: str | None
    owner: str
    request_id: str | None
    source_id: str | None
    description: str | None
    detail: dict[str, Json] | None
    state: State
    failure: FailureOut | None
    attempts: int
    progress: float
    error_count: int
    messages: list[Message]
    items: ItemsOut
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    version: int
    position: int
    history: list[StayOut]


class JobsOut(BaseModel):
    """A page of jobs. `next` is where the next page lies, null on the last; `total` is there when it was asked for."""

    jobs: list[JobOut]
    next: str | None = None
    total: int | None = None


class SavedOut(BaseModel):
    """The jobs of a batch as it left them, in the order first named."""

    jobs: list[JobOut]


class MinimalJobOut(BaseModel):
    """What a client cannot know of a job that it has written; `version` is the job's ETag."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    number: int
    version: int


class MinimalSavedOut(BaseModel):
    """The same of a batch's jobs, in the order first named."""

    jobs: list[MinimalJobOut]


class HistoryOut(BaseModel):
    """The states that a job entered, in order."""

    history: list[StayOut]


class EventOut(BaseModel):
    """An event as it stands in the log. `fields` holds what the event itself says."""

    model_config = ConfigDict(extra="forbid")

    position: int
    id: UUID
    job: UUID
    version: int
    project: str
    event: str
    occurred_at: datetime | None
    recorded_at: datetime
    actor: str
    credential_id: str | None
    request_id: str | None
    note: str | None
    source_id: str | None
    imported: bool
    fields: dict[str, Any]


class EventsOut(BaseModel):
    """Events in order. Ask behind `last` for what comes after; `next` is that page's address, null when the end was reached."""

    events: list[EventOut]
    last: int
    next: str | None


class CountOut(BaseModel):
    """Jobs of one type, command and state."""

    type: str
    command: str | None
    state: State
    jobs: int


class CountsOut(BaseModel):
    """How many jobs there are, in all, by state, and by type, command and state."""

    position: int
    total: int
    states: dict[State, int]
    counts: list[CountOut]


class ProblemOut(BaseModel):
    """A refusal in the form of RFC 9457. `code` is for programs, `hint` says what to do next."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    request_id: str
    errors: list[dict[str, str]] | None = None
    failures: list[dict[str, Any]] | None = None
