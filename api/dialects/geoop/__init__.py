"""GeoOp's API 1.x: jobs read, created, moved on and canceled in its envelope, one or many at a time.

Invariants: a job's id is its number in the ledger; a batch is saved whole or not at all; every path under the prefix is answered in GeoOp's
envelope, whose `result` says success, failure or error."""

from __future__ import annotations

from api.dialects.dialect import Dialect
from api.dialects.geoop.fault import fault
from api.dialects.geoop.operations import OPERATIONS
from api.dialects.geoop.words import method
from api.dialects.native import credential

GEOOP = Dialect(
    name="geoop",
    title="GeoOp API",
    prefixes=("/jobs",),
    operations=OPERATIONS,
    credential=credential,
    fault=fault,
    method=method,
    echo=lambda path, query, headers: headers.get(b"x-version"),
    description=(
        "GeoOp's API 1.x as far as it is about jobs. PATCH moves a job to another status, DELETE cancels it; both take many jobs on the"
        " collection, all or none. X-Method overrides the verb, and X-Version is echoed."
    ),
)
