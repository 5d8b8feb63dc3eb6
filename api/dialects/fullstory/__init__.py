"""FullStory's server API 2: batches of transitions imported in the background, and any job watched the way an import is.

Invariants: a batch is answered once it is durably saved; its items are applied later, in order, each by itself; the batch is a job of type
BatchImport with a history like any other. Only /v2/events/batch is served."""

from __future__ import annotations

from api.dialects.dialect import Dialect
from api.dialects.fullstory.credential import CHALLENGE, credential
from api.dialects.fullstory.fault import fault
from api.dialects.fullstory.operations import OPERATIONS

FULLSTORY = Dialect(
    name="fullstory",
    title="FullStory Server API",
    prefixes=("/v2/",),
    operations=OPERATIONS,
    credential=credential,
    fault=fault,
    challenge=CHALLENGE,
    security={
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "Authorization: Basic KEY, the API key itself as the product's clients send it.",
        }
    },
    description=(
        "Batch imports in FullStory's words. An item's `name` is an event of the ledger, such as `job.created` or `job.started`; its `timestamp` says"
        " when that happened, `user.uid` is the owner of a created job, `properties` are the event's fields, and `properties.job` is the job: its"
        " `source_id`, its id, or its number as a number. Every job of the ledger can be polled here, whatever made it."
    ),
)
