"""The ledger's own dialect: everything it knows, under /v1, with the conventions that API users expect.

Invariants: problem details for every refusal, ETag = job version, keyset pages; every operation here names its scope."""

from __future__ import annotations

from api.dialects.dialect import ApiKey, Credential, Dialect, SignedRequest
from api.dialects.native.about import ABOUT
from api.dialects.native.audit import AUDIT
from api.dialects.native.keys import KEYS
from api.dialects.native.operations import JOBS
from api.dialects.native.problem import CHALLENGE, problem
from api.dialects.native.proofs import PROOFS
from api.operation import Asked


def credential(asked: Asked) -> Credential | None:
    """The credential of a request: a signature, Authorization: Bearer KEY or TOKEN, or X-API-Key: KEY."""
    if "signature-input" in asked.headers:
        return SignedRequest(asked)
    scheme, _, word = asked.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and word:
        return ApiKey(word.strip())
    key = asked.headers.get("x-api-key")
    return ApiKey(key) if key else None


NATIVE = Dialect(
    name="native",
    title="Job ledger API",
    prefixes=("/",),
    operations=(*JOBS, *AUDIT, *KEYS, *PROOFS, *ABOUT),
    credential=credential,
    fault=problem,
    challenge=CHALLENGE,
    description="Every state a job was ever in is an event, and nothing is overwritten.",
)
