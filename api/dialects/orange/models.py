"""Models: Orange's answers as OpenAPI describes them.

Invariants: answers are rendered by `item` and only described here, which a test compares. Units: times are UTC with three decimals."""

from __future__ import annotations

from typing import Annotated

from pydantic import AnyUrl, BaseModel, ConfigDict, Field

from ledger.job import Phase

DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"

Date = Annotated[
    str, Field(pattern=DATE_PATTERN, description="yyyy-MM-dd'T'HH:mm:ss.SSS'Z', in UTC.")
]
Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]


class _Shown(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class MessageOut(_Shown):
    """A message raised on the job."""

    code: Int32 = Field(description="Error code.")
    message: str = Field(description="Content of the message.")
    description: str = Field("", description="Additional details; left out where there are none.")


class JobOut(_Shown):
    """A job. Dates whose time has not come are null."""

    id: str = Field(
        description="Id of the job.", pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
    )
    hRef: AnyUrl = Field(strict=False, description="Href of the job.")  # noqa: N815 - the product's spelling
    state: Phase = Field(strict=False, description="Status of the job.")
    description: str = Field(description="Description of the job.")
    createdDate: Date  # noqa: N815
    requesterId: str = Field(description="Id of the user who submitted the request.")  # noqa: N815
    startProcessingDate: Date | None  # noqa: N815
    endProcessingDate: Date | None  # noqa: N815
    messages: list[MessageOut] = Field(description="Messages raised on the job.")


class FaultOut(_Shown):
    """A refusal."""

    code: Int32 = Field(description="An integer coding the error type.")
    message: str = Field(description="A short string that describes the error.")
    description: str = Field("", description="What exactly is wrong.")
