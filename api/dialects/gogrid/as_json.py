"""GoGrid's JSON.

Invariants: keys are sorted at every level; an option's missing description is null, but a history entry's missing note or time is left out,
and an entry does not name its kind: so the original had it."""

from __future__ import annotations

import json
from typing import Any, Final, assert_never

from api.dialects.gogrid.options import Option
from api.dialects.gogrid.shape import Entry, Envelope, Fault, ShownJob, Thing

MEDIA_TYPE: Final = "application/json"


def render(envelope: Envelope) -> bytes:
    """An answer in JSON."""
    summary = {"total": envelope.total, "start": envelope.start, "returned": len(envelope.things)}
    if envelope.numpages is not None:
        summary["numpages"] = envelope.numpages
    body = {
        "list": [_thing(one) for one in envelope.things],
        "method": envelope.method,
        "status": envelope.status,
        "summary": summary,
    }
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _thing(thing: Thing) -> dict[str, Any]:
    match thing:
        case ShownJob():
            return _job(thing)
        case Option():
            return _option(thing)
        case Fault(message, errorcode):
            return {"object": "error", "message": message, "errorcode": errorcode}
        case _ as never:
            assert_never(never)


def _job(job: ShownJob) -> dict[str, Any]:
    return {
        "object": "job",
        "id": job.id,
        "owner": job.owner,
        "createdon": job.createdon,
        "lastupdatedon": job.lastupdatedon,
        "attempts": job.attempts,
        "history": [_entry(entry) for entry in job.history],
        "currentstate": _option(job.currentstate),
        "command": _option(job.command),
        "objecttype": _option(job.objecttype),
        "detail": job.detail,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": entry.id, "state": _option(entry.state)}
    if entry.note is not None:
        shown["note"] = entry.note
    if entry.updatedon is not None:
        shown["updatedon"] = entry.updatedon
    return shown


def _option(option: Option) -> dict[str, Any]:
    return {
        "object": "option",
        "id": option.id,
        "name": option.name,
        "description": option.description,
    }
