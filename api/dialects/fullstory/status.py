"""Status: how a job of the ledger looks to somebody who polls an import.

Invariants: pure; a failure that may be retried is still PROCESSING, or pollers would stop for good; `errors` is there for FAILED alone, and
`finished` once the job is over. Units: times are UTC with three decimals and a Z, rounded down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from api.dialects.fullstory.opaque import opaque
from ledger.job import Job, Outcome, Phase

PROCESSING, COMPLETED, FAILED = "PROCESSING", "COMPLETED", "FAILED"

_STATUSES: Final = {
    Phase.ACKNOWLEDGED: PROCESSING,
    Phase.IN_PROGRESS: PROCESSING,
    Phase.COMPLETED: COMPLETED,
    Phase.FAILED: FAILED,
}


def status(job: Job) -> dict[str, Any]:
    """The answer to a poll."""
    counts = {"imports": job.items_succeeded}
    if job.phase is Phase.FAILED:
        counts["errors"] = errors(job)
    return {**counts, "job": metadata(job)}


def metadata(job: Job) -> dict[str, Any]:
    """What is told of a job wherever it is named."""
    told = {
        "id": opaque(job.id),
        "status": _STATUSES[job.phase],
        "created": moment(job.created_at),
    }
    if job.absorbed:
        told["finished"] = moment(job.ended_at or job.updated_at)
    return told


def errors(job: Job) -> int:
    """Items that did not get in. Where a job was broken off, those that it never came to are among them."""
    if job.outcome is Outcome.INCOMPLETE or job.items_total is None:
        return job.error_count
    return max(job.error_count, job.items_total - job.items_succeeded)


def moment(at: datetime) -> str:
    """A time as yyyy-MM-ddTHH:mm:ss.SSSZ."""
    utc = at.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"
