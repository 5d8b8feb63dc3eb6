"""What the tests of the OpenLineage dialect share: events as JSON, sent and read back over TCP.

Invariants: what was recorded is read through the native API, never from what is under test."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx2 as httpx
import pydantic_core

from api.dialects.openlineage import OPENLINEAGE, ask
from api.dialects.openlineage.models import BatchOut, FaultOut, TakenOut
from api.operation import Asked, Operation, Principal, Scope
from ledger import events
from tests.fix_gogrid import NOW

Json = dict[str, Any]
PATH, BATCH = "/api/v1/lineage", "/api/v1/lineage/batch"
PRODUCER = "https://example.com/tests"
RUN = "01890000-0000-7000-8000-000000000007"
WRITER = Principal("k", "writer", "demo", frozenset({Scope.JOBS_WRITE}))
CREATED = events.Created(number=7, type="OpenLineageRun", owner="writer", source_id=RUN)


def said(kind: str, run: str, minute: int = 0, /, **fields: Any) -> Json:
    """An event as JSON."""
    return {
        "eventType": kind,
        "eventTime": f"2024-05-30T05:{minute:02}:00Z",
        "run": {"runId": run},
        "job": {"namespace": "airflow", "name": "etl.load"},
        "producer": PRODUCER,
        "schemaURL": "https://example.com/schema",
        **fields,
    }


def post(client: httpx.Client, body: Any, path: str = PATH, **headers: str) -> httpx.Response:
    return client.post(path, content=json.dumps(body).encode(), headers=headers)


def taken(answer: httpx.Response) -> Json:
    assert answer.status_code == 201, answer.text
    TakenOut.model_validate_json(answer.content)
    body: Json = answer.json()
    return body


def refused(answer: httpx.Response, status: int, code: str) -> Json:
    assert answer.status_code == status, answer.text
    FaultOut.model_validate_json(answer.content)
    body: Json = answer.json()
    assert (body["error"], body["request_id"]) == (code, answer.headers["x-request-id"])
    return body


def sent(client: httpx.Client, *events: Json) -> Json:
    """What came of a batch."""
    answer = post(client, list(events), BATCH)
    assert answer.status_code == 200, answer.text
    BatchOut.model_validate_json(answer.content)
    body: Json = answer.json()
    return body


def jobs(client: httpx.Client, project: str, **params: str) -> list[Json]:
    found: list[Json] = client.get(f"/v1/projects/{project}/jobs", params=params).json()["jobs"]
    return found


def job(client: httpx.Client, project: str, run: str) -> Json:
    [found] = jobs(client, project, source_id=run)
    return found


def log(client: httpx.Client, project: str, job: Json) -> list[Json]:
    found: list[Json] = client.get(f"/v1/projects/{project}/jobs/{job['id']}/events").json()[
        "events"
    ]
    return found


def states(job: Json) -> list[str]:
    return [entry["state"] for entry in job["history"]]


def topics(events: list[Json]) -> list[str]:
    return [one["event"].removeprefix("job.") for one in events]


def asked(body: Any, path: str = PATH) -> Asked:
    text = body if isinstance(body, bytes) else pydantic_core.to_json(body)
    return Asked(
        "POST",
        path,
        body=text,
        now=NOW,
        request_id="r-1",
        principal=WRITER,
        new_id=lambda: UUID(int=7),
    )


def operation(path: str = PATH) -> Operation:
    return next(one for one in OPENLINEAGE.operations if one.path == path)


def read(body: Any) -> ask.Reported:
    found = ask.read(body)
    assert isinstance(found, ask.Reported)
    return found
