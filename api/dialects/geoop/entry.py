"""Entries: a job as GeoOp's envelope holds it, whole or as a list reads it.

Invariants: pure; a row of the read model and the job that it stands for are told alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import pydantic_core

from api.dialects.geoop import statuses
from ledger.job import Job, Stay
from projections.question import Telling
from projections.row import Entry, entries, messages_of


class Listed(NamedTuple):
    """What a list tells of a job, by the names of its columns."""

    number: int
    outcome: str
    type: str
    command: str | None
    object: str | None
    owner: str
    request_id: str | None
    source_id: str | None
    description: str | None
    detail: str | None
    attempts: int
    progress: float
    error_count: int
    messages: str
    items_total: int | None
    items_succeeded: int
    items_failed: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    history: str


def entry(job: Job | Listed) -> dict[str, Any]:
    """A job."""
    if isinstance(job, Listed):
        history: Sequence[Stay | Entry] = entries(job.history)
        messages = messages_of(job.messages)
        detail = None if job.detail is None else pydantic_core.from_json(job.detail)
    else:
        history, messages, detail = job.history, job.messages, job.detail
    return {
        "id": job.number,
        "status": statuses.shown(job.outcome),
        "type": job.type,
        "command": job.command,
        "object": job.object,
        "owner": job.owner,
        "requestId": job.request_id,
        "sourceId": job.source_id,
        "description": job.description,
        "detail": detail,
        "attempts": job.attempts,
        "progress": job.progress,
        "errorCount": job.error_count,
        "messages": messages,
        "items": {
            "total": job.items_total,
            "succeeded": job.items_succeeded,
            "failed": job.items_failed,
        },
        "createdAt": job.created_at,
        "updatedAt": job.updated_at,
        "startedAt": job.started_at,
        "endedAt": job.ended_at,
        "history": [
            _stay(stay, statuses.entered(job.outcome, stay, last=stay is history[-1]))
            for stay in history
        ],
    }


def said(job: Job | Listed) -> bytes:
    """A job in JSON."""
    return pydantic_core.to_json(entry(job), inf_nan_mode="null")


def _row(row: tuple[Any, ...], _: None) -> bytes:
    return said(Listed._make(row))


TELLING: Final = Telling(Listed._fields, _row)


def _stay(stay: Stay | Entry, status: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": stay.position,
        "status": status,
        "at": stay.at,
        "actor": stay.actor,
        "note": stay.note,
    }
