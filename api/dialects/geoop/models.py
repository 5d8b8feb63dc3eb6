"""Models: what GeoOp's requests hold and what its answers show.

Invariants: requests are strict and refuse unknown fields; names are in camel case; answers are rendered by `tell` and `fault` and only described
here, which a test compares. Units: times are RFC 3339 with an offset; progress is a fraction 0..1."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from ledger.events import Count, Detail, FailureKind, Json, Message, Moment, Text, Word
from ledger.settings import BATCH_COMMANDS_MAX, COUNT_MAX, MESSAGES_MAX

Number = Annotated[int, Field(ge=1, le=COUNT_MAX)]
Messages = Annotated[tuple[Message, ...], Field(max_length=MESSAGES_MAX, strict=False)]


class _In(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, frozen=True, alias_generator=to_camel
    )


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class StatusIn(_In):
    """A status by its id, by its name, or by both."""

    id: int | None = None
    name: str | None = None


Status = StatusIn | int | str


class _Told(_In):
    note: Text | None = Field(None, description="A remark for people, kept with what happened.")
    occurred_at: Moment | None = Field(None, description="When it happened, by the caller's clock.")


class NewJobIn(_Told):
    """A job to create. It may be queued at once."""

    type: Word
    command: Word | None = None
    object: Word | None = None
    owner: Word | None = Field(None, description="Who asked for it; the key's name when absent.")
    request_id: Word | None = None
    source_id: Word | None = None
    description: Text | None = None
    detail: Detail | None = None
    messages: Messages = ()
    status: Status | None = Field(None, description="7 Created (when absent) or 1 Queued.")


class ItemsIn(_In):
    """Totals of the job's own items so far."""

    total: Count | None = None
    succeeded: Count = 0
    failed: Count = 0
    error_count: Count | None = None


class ChangeIn(_Told):
    """What became of a job. A status that it has already changes nothing. `kind` and `final` belong to the status Failed."""

    id: Number
    status: Status | None = None
    kind: Annotated[FailureKind, Field(strict=False)] | None = None
    final: bool | None = None
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    items: ItemsIn | None = None
    messages: Messages = ()


class CancelIn(_Told):
    """A job to cancel."""

    id: Number


_Many = Field(min_length=1, max_length=BATCH_COMMANDS_MAX)


class NewJobsIn(_In):
    """Jobs to create, all or none."""

    jobs: Annotated[list[NewJobIn], _Many]


class ChangesIn(_In):
    """Jobs to change, all or none."""

    jobs: Annotated[list[ChangeIn], _Many]


class CancelsIn(_In):
    """Jobs to cancel, all or none."""

    jobs: Annotated[list[CancelIn], _Many]


class StatusOut(_Out):
    """Where a job stands."""

    id: Annotated[int, Field(ge=1, le=7)]
    name: Literal["Queued", "Processing", "Succeeded", "Failed", "Canceled", "Fatal", "Created"]


class ItemsOut(_Out):
    """Totals of a job's own items."""

    total: int | None
    succeeded: int
    failed: int


class EntryOut(_Out):
    """A status that a job entered. `at` is null where its source gave no time."""

    id: int
    status: StatusOut
    at: datetime | None
    actor: str
    note: str | None


class JobOut(_Out):
    """A job."""

    id: int
    status: StatusOut
    type: str
    command: str | None
    object: str | None
    owner: str
    request_id: str | None
    source_id: str | None
    description: str | None
    detail: dict[str, Json] | None
    attempts: int
    progress: float
    error_count: int
    messages: list[Message]
    items: ItemsOut
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    history: list[EntryOut]


class PageMetadataOut(_Out):
    """About a page. The two counts are left out when they were not wanted."""

    page: int
    pages_count: int = 0
    records_per_page: int
    records_count: int = 0


class WriteMetadataOut(_Out):
    """About the items of a request, by their indices from 0."""

    received_items_count: int
    valid_items: list[int]
    invalid_items: list[int]


class PageOut(_Out):
    """Jobs that were asked for."""

    result: Literal["success"]
    jobs: list[JobOut]
    metadata: PageMetadataOut


class SavedOut(_Out):
    """Jobs as a request left them."""

    result: Literal["success"]
    jobs: list[JobOut]
    metadata: WriteMetadataOut


class ErrorOut(_Out):
    """What is wrong. `field` is there where one is at fault."""

    type: Literal["system", "client", "syntax", "content", "permission", "validation"]
    code: int
    message: str
    description: str = ""
    field: str = ""


class RefusalOut(_Out):
    """An item that could not be processed, and why."""

    raw_data: Any
    errors: Annotated[list[ErrorOut], Field(min_length=1)]


class FailureOut(_Out):
    """Some items were refused, so nothing was saved."""

    result: Literal["failure"]
    failures: Annotated[list[RefusalOut], Field(min_length=1)]
    metadata: WriteMetadataOut


class FatalOut(_Out):
    """The request was not processed."""

    result: Literal["error"]
    error: ErrorOut
