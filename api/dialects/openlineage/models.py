"""Models: OpenLineage's events as far as the ledger reads them, and its answers.

Invariants: events are strict in what is read and open in all else, since facets are anybody's; answers are rendered by `tell` and `fault` and only
described here, which a test compares. Units: times are RFC 3339 with an offset."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ledger.events import Moment, Text
from ledger.job import State
from ledger.settings import BATCH_COMMANDS_MAX

Name = Annotated[Text, Field(min_length=1)]
Facets = Annotated[dict[str, Any], BeforeValidator(lambda given: {} if given is None else given)]


class EventType(StrEnum):
    """What became of a run. OTHER tells more of it without a change."""

    START = "START"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"
    OTHER = "OTHER"


class _In(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RunIn(_In):
    """A run, by its id."""

    runId: UUID  # noqa: N815
    facets: Facets = {}


class JobIn(_In):
    """What the run is of."""

    namespace: Name
    name: Name
    facets: Facets = {}


class DatasetIn(_In):
    """What the run reads or writes."""

    namespace: str
    name: str


class RunEventIn(_In):
    """What became of a run. Without a type it is OTHER."""

    eventType: Annotated[EventType, Field(strict=False)] = EventType.OTHER  # noqa: N815
    eventTime: Moment  # noqa: N815
    run: RunIn
    job: JobIn
    inputs: list[DatasetIn] = []
    outputs: list[DatasetIn] = []
    producer: str = ""
    schemaURL: str = ""  # noqa: N815


class JobEventIn(_In):
    """What is known of a job, apart from any run: taken and not kept."""

    job: dict[str, Any]


class DatasetEventIn(_In):
    """What is known of a dataset, apart from any run: taken and not kept."""

    dataset: dict[str, Any]


EventIn = RunEventIn | JobEventIn | DatasetEventIn
EventsIn = Annotated[list[EventIn], Field(max_length=BATCH_COMMANDS_MAX)]


class JobOut(_Out):
    """The job of a run."""

    id: UUID
    number: int
    state: State


class TakenOut(_Out):
    """The event was recorded, now or before."""

    status: Literal["success"]
    runId: UUID  # noqa: N815
    job: JobOut


class IgnoredOut(_Out):
    """The event is about no run, so there was nothing to record."""

    status: Literal["ignored"]
    reason: str


class SummaryOut(_Out):
    """How many events came, and what came of them."""

    received: int
    successful: int
    failed: int


class FailedEventOut(_Out):
    """An event that was not recorded, by its index from 0."""

    index: int
    reason: str
    retriable: bool


class BatchOut(_Out):
    """What came of a batch: each event stands for itself."""

    status: Literal["success", "partial_success"]
    summary: SummaryOut
    failed_events: list[FailedEventOut]


class FaultOut(_Out):
    """A refusal."""

    error: str
    message: str
    hint: str
    request_id: str
