"""Models: GoGrid's forms and answers as OpenAPI describes them.

Invariants: answers are rendered by `as_json`, `as_xml` and `as_csv` and only described here, which a test compares; forms are read by `words`.
Units: times in answers are milliseconds since 1970."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.past import PARAMETERS
from ledger.settings import PAGE_LIMIT_MAX

DATE_FORMS = (
    "YYYY-MM-DD hh:mm:ss.s TZD (TZD is Z or +hh:mm or -hh:mm), YYYY-MM-DD, MM/DD/YYYY, MM/DD/YY,"
    " milliseconds since 1970, or now. A date alone is its midnight in UTC."
)

NumItems = Annotated[int, Field(ge=1, le=PAGE_LIMIT_MAX)]
PageNumber = Annotated[int, Field(ge=0)]


class _Shown(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class OptionOut(_Shown):
    """A row of a lookup table. Ids above 1000 are made from a word that is in no table."""

    object: Literal["option"]
    id: int
    name: str
    description: str | None


class EntryOut(_Shown):
    """A state that the job entered. Without `updatedon` its source gave no time; `note` is left out when there is none."""

    id: int
    state: OptionOut
    note: str = ""
    updatedon: int = 0


class JobOut(_Shown):
    """A job."""

    object: Literal["job"]
    id: int
    owner: str
    createdon: int
    lastupdatedon: int
    attempts: int
    history: list[EntryOut]
    currentstate: OptionOut
    command: OptionOut
    objecttype: OptionOut
    detail: dict[str, JsonValue] | None


class SummaryOut(_Shown):
    """How many match in all, how many come before this page, how many pages there are (0: not paged), how many are here."""

    total: int
    start: int
    numpages: int
    returned: int


class JobsOut(_Shown):
    """Jobs."""

    list: list[JobOut]
    method: Literal["/grid/job/get", "/grid/job/list"]
    status: Literal["success"]
    summary: SummaryOut


class OptionsOut(_Shown):
    """A lookup table."""

    list: list[OptionOut]
    method: Literal["/common/lookup/list"]
    status: Literal["success"]
    summary: SummaryOut


class FaultOut(_Shown):
    """What went wrong."""

    object: Literal["error"]
    message: str
    errorcode: str


class FaultSummaryOut(_Shown):
    """There is one fault. A failure has no pages."""

    total: Literal[1]
    start: Literal[0]
    returned: Literal[1]


class FailureOut(_Shown):
    """A refusal."""

    list: Annotated[list[FaultOut], Field(min_length=1, max_length=1)]
    method: str
    status: Literal["failure"]
    summary: FaultSummaryOut


PAST = {one.name: f"Not of the product. {one.description}" for one in PARAMETERS}


class _Form(BaseModel):
    api_key: str = Field(description="The id of a signing key.")
    sig: str = Field(
        description="The lower-case hex md5 of api_key, shared secret and Unix time in seconds.",
        pattern="^[0-9a-f]{32}$",
    )
    v: str = Field(description="The version of the API: any 1.x.", pattern=r"^1\.[0-9]{1,3}$")
    format: Literal["json", "xml", "csv"] = Field("json", description="The format of the answer.")


class PastForm(_Form):
    """What may be asked as of an earlier moment; not of the product."""

    as_of: str = Field("", description=PAST["as_of"])
    as_of_kind: Literal["", "recorded", "occurred"] = Field("", description=PAST["as_of_kind"])
    as_of_position: int | None = Field(None, ge=0, description=PAST["as_of_position"])


class GetForm(PastForm):
    """Either `id` or `job`, once or more."""

    id: list[int] = Field([], description="Ids of jobs.")
    job: list[str] = Field(
        [], description="Ids of jobs, or names of the objects that they are about."
    )


class ListForm(PastForm):
    """Everything is optional; a filter without a value lets everything through."""

    num_items: NumItems = Field(100, description="Jobs on a page.")
    page: PageNumber = Field(0, description="Which page, from 0.")
    startdate: str = Field(
        "", description=f"Created then or later; four weeks ago when absent. {DATE_FORMS}"
    )
    enddate: str = Field("now", description=f"Created then or earlier. {DATE_FORMS}")
    state: list[str] = Field(
        [], alias="job.state", description="States by id or name; any of them."
    )
    objecttype: list[str] = Field(
        [],
        alias="job.objecttype",
        description="Object types by name, or by id where the lookup table has them; any of them.",
    )
    owner: str = Field("", description="Who asked for the job.")
    object: str = Field("", description="The name of the object that the job is about.")
    datacenter: list[str] = Field(
        [],
        description="Datacenters by id or name. The ledger keeps none for a job, so this narrows nothing.",
    )


class LookupForm(_Form):
    """Which table, in which order."""

    lookup: str = Field(description="The name or id of a table; `lookups` lists the tables.")
    sort: Literal["id", "name", "description"] = Field("id", description="The column to sort by.")
    asc: Literal["asc", "true", "1", "desc", "false", "0"] = Field(
        "asc", description="The direction."
    )
    num_items: NumItems | None = Field(
        None, description="Options on a page; all of them when absent."
    )
    page: PageNumber = Field(0, description="Which page, from 0; only with num_items.")
