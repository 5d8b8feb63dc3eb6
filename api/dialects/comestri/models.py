"""Models: what a request to Comestri holds, and its answers as OpenAPI describes them.

Invariants: requests are strict and refuse unknown fields; answers are rendered by `entry` and `tell` and only described here, which a test
compares. Units: percent_completed is a fraction 0..1."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ledger.events import Detail, Json, Word

Status = Literal[
    "request_received",
    "fail_to_receive",
    "ready_to_process",
    "processing",
    "fail_to_process",
    "canceled",
    "complete",
]
Result = Literal["Success", "Failure", "Pending"]
Fraction = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


def _named(item: dict[str, Json]) -> dict[str, Json]:
    name = item.get("_request_data_id")
    if isinstance(name, bool) or not isinstance(name, str | int | None):
        raise ValueError("_request_data_id is a string or a whole number.")
    return item


Item = Annotated[Detail, AfterValidator(_named)]


class NewJob(_Strict):
    """What to do, and to what. `options.object_in_response`: show each item again beside its errors."""

    entity: Word
    operation: Literal["insert", "update", "upsert", "delete", "reset"]
    options: Detail | None = None
    data: Annotated[
        tuple[Item, ...],
        Field(
            strict=False,
            description="The items. `_request_data_id` names one, so that its errors can be told.",
        ),
    ] = ()

    @model_validator(mode="after")
    def _not_about_nothing(self) -> Self:
        if not self.data and self.operation != "reset":
            raise ValueError("data holds at least one item, unless the operation is reset.")
        return self


class NewJobIn(_Strict):
    """A job to be done."""

    job: NewJob


class EntryOut(_Strict):
    """A job in a list."""

    id: int
    request_id: str | None
    entity: str
    status: Status
    percent_completed: Fraction
    operation: str | None
    created_at: Annotated[datetime, Field(strict=False)]
    updated_at: Annotated[datetime, Field(strict=False)]
    created_by: str
    error_count: int
    result: Result


class PageOut(_Strict):
    """A page of jobs, newest first. Pages count from 1, and there is at least one."""

    page: int
    per_page: int
    total_pages: int
    total_entries: int
    entries: list[EntryOut]


class ProcessingDetail(BaseModel):
    """An item with its errors, and under its entity's name the item itself where `object_in_response` asked for it."""

    model_config = ConfigDict(extra="allow", strict=True)

    errors: list[str]
    id: Any
    request_data_id: str | int | None = Field(alias="_request_data_id")


class ShownOut(EntryOut):
    """A job by itself."""

    processing_details: list[ProcessingDetail]


class CreatedOut(_Strict):
    """A new job, ready to process. `sidekiq_job_id` is the id under which the native API has it."""

    id: int
    request_id: str
    entity: str
    status: Status
    percent_completed: Fraction
    operation: str
    created_at: Annotated[datetime, Field(strict=False)]
    updated_at: Annotated[datetime, Field(strict=False)]
    created_by: str
    error_count: int
    format: Literal["json"]
    file_name: None
    sidekiq_job_id: Annotated[UUID, Field(strict=False)]
    import_method: Literal["api"]
    file_upload_id: None


class FaultOut(BaseModel):
    """A refusal. `errors` names the parameters or fields at fault, each with its sentences."""

    model_config = ConfigDict(extra="forbid", strict=True)

    error: str
    message: str
    errors: dict[str, list[str]] = {}
