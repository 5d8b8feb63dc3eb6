"""Events: what can happen to a job, and the envelope each one travels in.

Invariants: a topic is for ever, a class is not; shapes change by an upcast written under the class, never by touching a stored body;
an event is immutable. `EVENTS` is the whole list: a stored topic that is not in it is refused, never imported.
Units: progress is a fraction 0..1; times carry an offset and are kept in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, NamedTuple, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from ledger import settings
from ledger.words import storable, word

# Our JSON reader takes no integer of more digits, so one must not be written either.
_INTEGER_END = 10**4_300

Json = JsonValue


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("The time lies outside the years 1 to 9999.") from error


def _storable_json(value: Any, depth: int = 0) -> Any:
    if depth > settings.JSON_DEPTH_MAX:
        raise ValueError(f"The value is nested deeper than {settings.JSON_DEPTH_MAX} levels.")
    if isinstance(value, str):
        storable(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            storable(key)
            _storable_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _storable_json(item, depth + 1)
    elif isinstance(value, float) and value - value != 0:
        raise ValueError("NaN and infinity are no JSON numbers.")
    elif isinstance(value, int) and abs(value) >= _INTEGER_END:
        raise ValueError("The integer has more than 4,300 digits.")
    return value


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Word = Annotated[
    str,
    # What JSON Schema can say of it: it counts characters, of which there are never more than bytes.
    StringConstraints(min_length=1, max_length=settings.WORD_BYTES_MAX),
    AfterValidator(word),
]
Text = Annotated[
    str, StringConstraints(max_length=settings.TEXT_LENGTH_MAX), AfterValidator(storable)
]
Count = Annotated[int, Field(ge=0, le=settings.COUNT_MAX)]
Detail = Annotated[dict[str, Json], AfterValidator(_storable_json)]


class FailureKind(StrEnum):
    """Why a job failed: it was never acceptable, it broke while it ran, or it ran to its end with bad items."""

    REJECTED = "rejected"
    EXCEPTION = "exception"
    ITEM_ERRORS = "item_errors"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Message(_Part):
    """One message raised on a job. `code` is the producer's own number."""

    code: Annotated[int, Field(ge=-(2**31), lt=2**31)] = 0
    message: Text
    description: Text | None = None


class Event(_Part):
    """What happened to one job. `messages` are added to the job's own."""

    TOPIC: ClassVar[str]
    class_version: ClassVar[int] = 1

    @classmethod
    def of_checked(cls, fields: dict[str, Any]) -> Self:
        """An event of fields that have all been checked, as pydantic's own model_construct makes one, in a quarter of its time."""
        event = cls.__new__(cls)
        object.__setattr__(event, "__dict__", fields)
        object.__setattr__(event, "__pydantic_fields_set__", set(fields))
        object.__setattr__(event, "__pydantic_extra__", None)
        object.__setattr__(event, "__pydantic_private__", None)
        return event

    messages: Annotated[
        tuple[Message, ...], Field(max_length=settings.MESSAGES_MAX, strict=False)
    ] = ()


class Created(Event):
    """A job was asked for. `created_at` is its source's own time where the entry itself has none; `number` is given by the ledger when absent."""

    TOPIC = "job.created"

    type: Word
    owner: Word
    number: Annotated[int, Field(ge=1, le=settings.COUNT_MAX)] | None = None
    command: Word | None = None
    object: Word | None = None
    request_id: Word | None = None
    source_id: Word | None = None
    description: Text | None = None
    detail: Detail | None = None
    created_at: Moment | None = None


class Queued(Event):
    """The job waits for a worker."""

    TOPIC = "job.queued"


class Started(Event):
    """A worker took the job: one more attempt."""

    TOPIC = "job.started"


class Progressed(Event):
    """The job came this far."""

    TOPIC = "job.progressed"

    progress: Annotated[float, Field(ge=0, le=1)]


class Noted(Event):
    """Something worth keeping was said of the job; its state stays."""

    TOPIC = "job.noted"


class ItemsReported(Event):
    """Totals of the job's items so far, not increments. `error_count` defaults to the failed items."""

    TOPIC = "job.items_reported"

    succeeded: Count = 0
    failed: Count = 0
    total: Count | None = None
    error_count: Count | None = None


class Succeeded(Event):
    """The job did what was asked, without an error."""

    TOPIC = "job.succeeded"


class Failed(Event):
    """The job failed. When not `final` it may be queued again."""

    TOPIC = "job.failed"

    kind: Annotated[FailureKind, Field(strict=False)] = FailureKind.EXCEPTION
    final: bool = True
    error_count: Count | None = None


class Canceled(Event):
    """Somebody called the job off."""

    TOPIC = "job.canceled"


class ErasedBody(_Part):
    """A body from which values were erased: the SHA-256 of what is left of it, so that the rest still cannot be altered."""

    version: Annotated[int, Field(ge=1, le=settings.COUNT_MAX)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Erased(Event):
    """A person's values were taken out of the job's events, for good. `fields` says which; `everything`: all that could be a person's.

    Only `ledger.erase` writes one, in the transaction that rewrites those bodies."""

    TOPIC = "job.erased"

    reason: Text
    fields: Annotated[tuple[Word, ...], Field(strict=False)] = ()
    everything: bool = False
    bodies: Annotated[tuple[ErasedBody, ...], Field(strict=False)] = ()


EVENTS: Mapping[str, type[Event]] = MappingProxyType(
    {
        event.TOPIC: event
        for event in (
            Created,
            Queued,
            Started,
            Progressed,
            Noted,
            ItemsReported,
            Succeeded,
            Failed,
            Canceled,
            Erased,
        )
    }
)


class Envelope(NamedTuple):
    """What goes with an event: who, under which credential, in which request, and what the producer claims.

    `actor` and `credential_id` are set from the credential, never by the client. `occurred_at` is the producer's claim. `source_id` is
    the entry's own id where history was `imported`."""

    project: str
    actor: str
    credential_id: str | None = None
    request_id: str | None = None
    note: str | None = None
    occurred_at: datetime | None = None
    source_id: str | None = None
    imported: bool = False


class Recorded(NamedTuple):
    """An event in the log. `position` counts the ledger's events from 1, `version` the job's own from 1; `recorded_at` never runs backwards."""

    position: int
    event_id: UUID
    job_id: UUID
    version: int
    recorded_at: datetime
    envelope: Envelope
    event: Event

    @property
    def topic(self) -> str:
        """What happened, as stored."""
        return self.event.TOPIC

    @property
    def at(self) -> datetime | None:
        """When it happened, as well as the ledger knows: the claim, else our own clock, else (imported without a time) None."""
        return self.envelope.occurred_at or (None if self.envelope.imported else self.recorded_at)

    @property
    def project(self) -> str:
        """The tenant."""
        return self.envelope.project

    @property
    def actor(self) -> str:
        """Who said so."""
        return self.envelope.actor

    @property
    def note(self) -> str | None:
        """A remark for people."""
        return self.envelope.note

    @property
    def source_id(self) -> str | None:
        """The entry's own id at its source."""
        return self.envelope.source_id

    @property
    def originator_id(self) -> UUID:
        """The eventsourcing library's name for the job's id."""
        return self.job_id

    @property
    def originator_version(self) -> int:
        """The eventsourcing library's name for the job's version."""
        return self.version
