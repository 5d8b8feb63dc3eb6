"""Answers to bytes: what came of OpenLineage's events.

Invariants: pure; an event that was recorded is 201, repeated or not; a batch is 200 and tells which of its events failed, and whether sending
those again may help."""

from __future__ import annotations

from typing import Any

import pydantic_core

from api.dialects.openlineage import ask
from api.dialects.openlineage.fault import MEDIA_TYPE, status_of
from api.operation import Asked, Outcomes, Resolved, Said
from ledger.errors import LedgerError


def one(asked: Asked, resolved: Resolved | None) -> Said:
    """What came of one event."""
    if resolved is None:
        return _said(200, {"status": "ignored", "reason": ask.ignored(asked)})
    assert resolved.committed is not None, "every event of a run is recorded"
    [job] = resolved.committed.jobs
    body: dict[str, Any] = {
        "status": "success",
        "runId": job.source_id,
        "job": {"id": job.id, "number": job.number, "state": job.state},
    }
    return _said(201, body, ("Ledger-Position", str(resolved.committed.position)))


def many(asked: Asked, outcomes: Outcomes) -> Said:
    """What came of each event of a batch."""
    answers = iter(outcomes)
    failed = []
    position = 0
    events = ask.batch(asked)
    for index, event in enumerate(events):
        outcome = next(answers) if isinstance(event, ask.Reported) else event
        if isinstance(outcome, LedgerError):
            failed.append(_failed(index, outcome))
        elif isinstance(outcome, Resolved) and outcome.committed is not None:
            position = max(position, outcome.committed.position)
    body = {
        "status": "partial_success" if failed else "success",
        "summary": {
            "received": len(events),
            "successful": len(events) - len(failed),
            "failed": len(failed),
        },
        "failed_events": failed,
    }
    return _said(200, body, *((("Ledger-Position", str(position)),) if position else ()))


def _failed(index: int, error: LedgerError) -> dict[str, Any]:
    return {"index": index, "reason": str(error), "retriable": status_of(error) >= 500}


def _said(status: int, body: dict[str, Any], *headers: tuple[str, str]) -> Said:
    return Said(status, pydantic_core.to_json(body), MEDIA_TYPE, headers)
