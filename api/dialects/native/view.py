"""Views: folded jobs and recorded events as the native JSON.

Invariants: pure; a job read from a read model and the same job folded from the log give the same bytes. Times end in Z."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pydantic_core

from api import past
from api.operation import Asked, Said
from ledger.events import Recorded
from ledger.job import Job, State, Stay
from projections.question import Counts

JSON = "application/json"
NDJSON = "application/x-ndjson"
CLOUD_EVENTS = "application/cloudevents-batch+json"
# What the feed is told in.
FEED = (JSON, NDJSON, CLOUD_EVENTS)


def said(body: Any, *headers: tuple[str, str], status: int = 200) -> Said:
    """An answer in JSON."""
    return Said(status, pydantic_core.to_json(body), JSON, headers)


def job(one: Job) -> dict[str, Any]:
    """A job, whole."""
    return {
        "id": one.id,
        "number": one.number,
        "project": one.project,
        "type": one.type,
        "command": one.command,
        "object": one.object,
        "owner": one.owner,
        "request_id": one.request_id,
        "source_id": one.source_id,
        "description": one.description,
        "detail": one.detail,
        "state": one.state,
        "failure": {"kind": one.kind, "final": one.final} if one.kind else None,
        "attempts": one.attempts,
        "progress": one.progress,
        "error_count": one.error_count,
        "messages": one.messages,
        "items": {
            "total": one.items_total,
            "succeeded": one.items_succeeded,
            "failed": one.items_failed,
        },
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "ended_by": one.ended_by,
        "version": one.version,
        "position": one.position,
        "history": [stay(entry) for entry in one.history],
    }


def stay(entry: Stay) -> dict[str, Any]:
    """One entry of a history."""
    return {
        "position": entry.position,
        "version": entry.version,
        "state": entry.state,
        "at": entry.at,
        "recorded_at": entry.recorded_at,
        "actor": entry.actor,
        "note": entry.note,
        "source_id": entry.source_id,
        "kind": entry.kind,
        "final": entry.final,
    }


def event(recorded: Recorded) -> dict[str, Any]:
    """One event of the log."""
    envelope = recorded.envelope
    return {
        "position": recorded.position,
        "id": recorded.event_id,
        "job": recorded.job_id,
        "version": recorded.version,
        "project": envelope.project,
        "event": recorded.topic,
        "occurred_at": envelope.occurred_at,
        "recorded_at": recorded.recorded_at,
        "actor": envelope.actor,
        "credential_id": envelope.credential_id,
        "request_id": envelope.request_id,
        "note": envelope.note,
        "source_id": envelope.source_id,
        "imported": envelope.imported,
        "fields": recorded.event.model_dump(mode="json"),
    }


def cloud_event(recorded: Recorded) -> dict[str, Any]:
    """One event of the log as CloudEvents 1.0 has it; ours stand in extension attributes, whose integers hold 32 bits and so are words."""
    envelope = recorded.envelope
    known = {
        "specversion": "1.0",
        "id": recorded.event_id,
        "source": f"/v1/projects/{quote(envelope.project, safe='')}",
        "type": recorded.topic,
        "subject": str(recorded.job_id),
        "time": recorded.recorded_at,
        "datacontenttype": JSON,
        "position": str(recorded.position),
        "jobversion": str(recorded.version),
        "actor": envelope.actor,
        "occurredat": envelope.occurred_at,
        "note": envelope.note,
        "data": recorded.event.model_dump(mode="json"),
    }
    # An attribute without a value is left out, and an empty word is none.
    return {name: value for name, value in known.items() if value not in (None, "")}


def counts(found: Counts) -> dict[str, Any]:
    """Totals of a project."""
    states: dict[State, int] = dict.fromkeys(State, 0)
    for count in found.counts:
        states[State(count.state)] += count.jobs
    return {
        "position": found.position,
        "total": sum(states.values()),
        "states": states,
        "counts": [
            {"type": count.type, "command": count.command, "state": count.state, "jobs": count.jobs}
            for count in found.counts
        ],
    }


def etag(one: Job) -> str:
    """A job's entity tag: its version."""
    return f'"{one.version}"'


def job_url(asked: Asked, one: Job) -> str:
    """Where a job is found."""
    return f"{asked.base_url}/v1/projects/{quote(one.project, safe='')}/jobs/{one.id}"


def page_url(asked: Asked, **changed: str) -> str:
    """The address that was asked, with some of its words changed; percent-encoded, since it stands in headers too."""
    given = [(name, word) for name, word in asked.query if name not in changed]
    words = [*given, *past.words(asked.as_of).items(), *changed.items()]
    return f"{asked.base_url}{quote(asked.path)}?{urlencode(words)}"
