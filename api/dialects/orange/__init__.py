"""Orange's Evolution Platform: jobs of a project found and read at its paths.

Invariants: reads only; the project is the tenant, and another one's is not found; every path under the prefix is answered in Orange's words."""

from __future__ import annotations

from api.dialects.dialect import Dialect
from api.dialects.orange.credential import CHALLENGE, credential
from api.dialects.orange.fault import fault
from api.dialects.orange.operations import OPERATIONS

ORANGE = Dialect(
    name="orange",
    title="Orange Evolution Platform API",
    prefixes=("/projects/",),
    operations=OPERATIONS,
    credential=credential,
    fault=fault,
    challenge=CHALLENGE,
    security={
        "X-API-Key": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "An API key; or send it as Authorization: Bearer KEY.",
        }
    },
    description=(
        "The jobs of Orange's Evolution Platform. Credentials: X-API-Key: KEY, or Authorization: Bearer KEY. A list without `sort` comes newest"
        " first; parameters that it does not have are left alone."
    ),
)
