"""How each operation that writes is told something: of the job that it makes, or of one that is there.

Invariants: every operation that writes has a row in WRITES; what it is told is allowed, so that it has an effect. Errors: KeyError for a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx2 as httpx

from api.operation import Scope
from api.operations import OPERATIONS
from tests.conformance.population import Made
from tests.conformance.stage import Stage


def plain(stage: Stage, client: httpx.Client, count: int) -> list[Made]:
    """Jobs that nothing has happened to."""
    told = {"jobs": [{"type": "T"}] * count}
    answer = client.post(f"/v1/projects/{stage.project}/jobs", json=told)
    like = stage.made[0]
    return [replace(like, id=one["id"], number=str(one["number"])) for one in answer.json()["jobs"]]


Told = Callable[[str, Made], Any]
WRITES: Mapping[str, Told] = {
    "createJobs": lambda text, job: {"type": text, "object": text, "description": text, "note": text, "detail": {text: text}},
    "addJobEvents": lambda text, job: {"event": "noted", "note": text, "messages": [{"message": text}]},
    "addEvents": lambda text, job: {"events": [{"job": job.id, "event": "noted", "note": text}]},
    "createJob": lambda text, job: {"job": {"entity": text, "operation": "insert", "data": [{"_request_data_id": text, text: [text]}]}},
    "postJobs": lambda text, job: {"jobs": [{"type": text, "object": text, "note": text, "detail": {text: text}}]},
    "patchJobs": lambda text, job: {"jobs": [{"id": int(job.number), "note": text}]},
    "patchJob": lambda text, job: {"id": int(job.number), "messages": [{"message": text, "description": text}]},
    "deleteJobs": lambda text, job: {"jobs": [{"id": int(job.number), "note": text}]},
    "postEvent": lambda text, job: lineage(text),
    "postEventBatch": lambda text, job: [lineage(text)],
    "createBatchEventsImportJob": lambda text, job: {
        "requests": [{"name": "job.created", "user": {"uid": text}, "properties": {"job": f"{job.id}{text}"[:500], "type": text, "note": text}}]
    },
}  # fmt: skip
WRITING = [
    (dialect, operation)
    for dialect, operation in OPERATIONS
    if operation.scope in (Scope.JOBS_WRITE, Scope.JOBS_CANCEL) and operation.body is not None
]


def lineage(text: str) -> dict[str, Any]:
    return {
        "eventType": "START",
        "eventTime": "2026-01-02T03:04:05Z",
        "run": {"runId": str(uuid4())},
        "job": {"namespace": text, "name": text, "facets": {"a": {"b": text}}},
    }
