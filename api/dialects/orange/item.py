"""Items: a job as Orange tells it.

Invariants: pure; every field that the document requires is there, null where its time has not come; a job that failed says why, and a canceled
one by whom. Times are in UTC with three decimals and a Z."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from ledger.job import Job, Outcome, Phase

# Why a job failed, where it does not say so itself.
_REASONS: Final = {
    Outcome.REJECTED: "The request was not acceptable.",
    Outcome.INCOMPLETE: "The process ended with errors.",
    Outcome.EXHAUSTED: "The process failed, and so did its retries.",
    Outcome.FAILED: "The process failed.",
}


def item(job: Job, base_url: str) -> dict[str, Any]:
    """A job."""
    return {
        "id": str(job.id),
        "hRef": f"{base_url}/projects/{quote(job.project, safe='')}/jobs/{job.id}",
        "state": job.phase.value,
        "description": job.description or _described(job),
        "createdDate": told(job.created_at),
        "requesterId": job.owner,
        "startProcessingDate": told(job.started_at),
        "endProcessingDate": told(job.ended_at),
        "messages": list(_messages(job)),
    }


def told(moment: datetime | None) -> str | None:
    """A time as yyyy-MM-dd'T'HH:mm:ss.SSS'Z', rounded down."""
    if moment is None:
        return None
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"


def _described(job: Job) -> str:
    """What the job does, to what: the description of a job that has none."""
    return " ".join(word for word in (job.command, job.type, job.object) if word)


def _messages(job: Job) -> Iterable[dict[str, Any]]:
    for one in job.messages:
        yield _message(one.code, one.message, one.description)
    if job.phase is not Phase.FAILED:
        return
    note = job.history[-1].note if job.history else None
    if job.outcome is Outcome.CANCELED:
        yield _message(0, f"canceled by {job.ended_by}", note)
    elif not job.messages:
        yield _message(0, _REASONS[job.outcome], note)


def _message(code: int, message: str, description: str | None) -> dict[str, Any]:
    told_of = {"code": code, "message": message}
    return told_of if description is None else {**told_of, "description": description}
