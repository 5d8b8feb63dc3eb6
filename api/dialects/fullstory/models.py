"""Models: FullStory's requests and answers as OpenAPI describes them.

Invariants: items are read by `item`, answers rendered by `status` and `tell`, and only described here, which tests compare. Units: times are UTC with
three decimals."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.dialects.fullstory.item import ItemIn
from ledger.settings import BATCH_ITEMS_MAX

Date = Annotated[
    str,
    Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"),
]
Count = Annotated[int, Field(ge=0)]


class SharedIn(BaseModel):
    """What all items of a batch share; it is kept, and told with the items that fail."""

    model_config = ConfigDict(extra="forbid")

    context: dict[str, Any] | None = None


class BatchIn(BaseModel):
    """Items to be applied one after the other. One that is refused does not hinder the others."""

    model_config = ConfigDict(extra="forbid")

    requests: Annotated[list[ItemIn], Field(min_length=1, max_length=BATCH_ITEMS_MAX)]
    shared: SharedIn | None = None


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class JobOut(_Out):
    """Information about the current state of the job. `finished` is there once it is over."""

    id: str = Field(description="ID of the job.")
    status: Literal["PROCESSING", "COMPLETED", "FAILED"] = Field(description="Status of the job.")
    created: Date = Field(description="Time the job was accepted.")
    finished: Date | None = Field(
        None, description="Time the job was finished, either successfully or unsuccessfully."
    )


class CreatedOut(_Out):
    """The batch is saved, and will be applied."""

    job: JobOut


class StatusOut(_Out):
    """How a job stands."""

    imports: Count = Field(description="The number of items imported successfully.")
    errors: Count = Field(
        0, description="Only for failed jobs: the number of items that failed to be imported."
    )
    job: JobOut


class LedgerOut(_Out):
    """What an item came to: its job, and where its event stands in the log."""

    job: str
    position: Count


class ImportOut(BaseModel):
    """An item that was imported, as it was sent. `timestamp` is when it was recorded where it named none."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str
    timestamp: str
    ledger: LedgerOut


class ErrorOut(_Out):
    """An item that was not imported, as it was sent, and why."""

    message: str
    code: str
    event: Any = None
    shared: dict[str, Any] = Field({}, description="What the batch's items share, if anything.")


class ImportsOut(_Out):
    """A page of imported items, in order. The next page lies behind `next_page_token`, which the last has not."""

    results: list[ImportOut]
    total_records: Annotated[str, Field(pattern="^[0-9]+$")]
    next_page_token: str = ""


class ErrorsOut(_Out):
    """A page of items that were not imported, in order."""

    results: list[ErrorOut]
    total_records: Annotated[str, Field(pattern="^[0-9]+$")]
    next_page_token: str = ""


class FaultOut(_Out):
    """A refusal."""

    message: str = Field(description="Long form description of what went wrong.")
    code: str = Field(
        pattern="^[a-z0-9_]+$",
        description="A short snake-cased value that is safe to handle programmatically.",
    )
