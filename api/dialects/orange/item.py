"""Items: a job as Orange tells it.

Invariants: pure; every field that the document requires is there, null where its time has not come; a job that failed says why, and a canceled
one by whom. Times are in UTC with three decimals and a Z."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

import pydantic_core

from ledger.job import Job, Outcome, Phase
from ledger.settings import SIGHTS_KEPT_MAX
from projections.row import entries, messages_of

_UTC: Final = "+00:00"
# Why a job failed, where it does not say so itself.
_REASONS: Final[Mapping[str, str]] = {
    Outcome.REJECTED: "The request was not acceptable.",
    Outcome.INCOMPLETE: "The process ended with errors.",
    Outcome.EXHAUSTED: "The process failed, and so did its retries.",
    Outcome.FAILED: "The process failed.",
}


class Listed(NamedTuple):
    """What a list tells of a job, by the names of its columns."""

    id: UUID
    project: str
    phase: str
    description: str | None
    command: str | None
    type: str
    object: str | None
    created_at: datetime
    owner: str
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str
    ended_by: str | None
    messages: str
    history: str


def item(job: Job | Listed, base_url: str) -> dict[str, Any]:
    """A job."""
    return {
        "id": str(job.id),
        "hRef": f"{base_url}/projects/{_quoted(job.project)}/jobs/{job.id}",
        "state": str(job.phase),
        "description": job.description or _described(job),
        "createdDate": told(job.created_at),
        "requesterId": job.owner,
        "startProcessingDate": told(job.started_at),
        "endProcessingDate": told(job.ended_at),
        "messages": list(_messages(job)),
    }


@lru_cache(maxsize=SIGHTS_KEPT_MAX)
def _quoted(project: str) -> str:
    return quote(project, safe="")


def said(row: tuple[Any, ...], base_url: str) -> bytes:
    """A row of `Listed`, in JSON."""
    return pydantic_core.to_json(item(Listed._make(row), base_url))


def told(moment: datetime | None) -> str | None:
    """A time as yyyy-MM-dd'T'HH:mm:ss.SSS'Z', rounded down."""
    if moment is None:
        return None
    text = moment.isoformat(timespec="milliseconds")
    if not text.endswith(_UTC):  # as rows of the read model never are
        text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix(_UTC) + "Z"


def _described(job: Job | Listed) -> str:
    """What the job does, to what: the description of a job that has none."""
    return " ".join(word for word in (job.command, job.type, job.object) if word)


def _messages(job: Job | Listed) -> Iterable[dict[str, Any]]:
    messages = messages_of(job.messages) if isinstance(job, Listed) else job.messages
    for one in messages:
        yield _message(one.code, one.message, one.description)
    if job.phase != Phase.FAILED:
        return
    history = entries(job.history) if isinstance(job, Listed) else job.history
    note = history[-1].note if history else None
    if job.outcome == Outcome.CANCELED:
        yield _message(0, f"canceled by {job.ended_by}", note)
    elif not messages:
        yield _message(0, _REASONS[job.outcome], note)


def _message(code: int, message: str, description: str | None) -> dict[str, Any]:
    told_of = {"code": code, "message": message}
    return told_of if description is None else {**told_of, "description": description}
