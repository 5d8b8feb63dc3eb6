"""What the tests of the FullStory dialect share: items, requests in words, and batches sent and watched over TCP.

Invariants: every answer is held against the models that OpenAPI is made from; what was recorded is read through the native API. Units: seconds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2 as httpx
import pydantic_core

from api.dialects.fullstory import FULLSTORY
from api.dialects.fullstory.models import (
    CreatedOut,
    ErrorsOut,
    FaultOut,
    ImportsOut,
    StatusOut,
)
from api.operation import Asked, Operation, Principal, Scope
from tests.fix_gogrid import NOW

Json = dict[str, Any]

BATCH = "/v2/events/batch"
GOLDEN = Path(__file__).parent / "golden" / "fullstory"
DEADLINE_S = 60.0
JOB_ID = UUID("01890000-0000-7000-8000-000000000007")
WRITER = Principal("k", "writer", "demo", frozenset({Scope.JOBS_READ, Scope.JOBS_WRITE}))


def item(event: str, job: Any = None, /, **properties: Any) -> Json:
    """An item about a job."""
    named = {} if job is None else {"job": job}
    return {"name": f"job.{event}", "properties": {**named, **properties}}


def life(job: str, *events: str) -> list[Json]:
    """A job from its creation on."""
    return [item("created", job, type="VirtualServer"), *(item(event, job) for event in events)]


def asked(method: str = "GET", path: str = BATCH, body: Any = None, **fields: Any) -> Asked:
    """A request."""
    given: Json = {
        "method": method,
        "path": path,
        "body": body if isinstance(body, bytes) else pydantic_core.to_json(body),
        "principal": WRITER,
        "now": NOW,
        "request_id": "r-1",
        "new_id": lambda: JOB_ID,
    }
    return Asked(**{**given, **fields})


def operation(name: str) -> Operation:
    """The operation whose id ends so."""
    return next(one for one in FULLSTORY.operations if one.id.endswith(name))


def post(client: httpx.Client, items: Any, key: str | None = None, **more: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = pydantic_core.to_json({"requests": items, **more})
    return client.post(BATCH, content=body, headers=headers)


def taken(client: httpx.Client, items: Any, key: str | None = None, **more: Any) -> str:
    """The id of a batch that was taken."""
    answer = post(client, items, key, **more)
    assert answer.status_code == 200, answer.text
    CreatedOut.model_validate_json(answer.content)
    job = answer.json()["job"]
    assert set(job) == {"id", "status", "created"}
    assert job["status"] == "PROCESSING"
    return str(job["id"])


def polled(client: httpx.Client, job_id: str) -> Json:
    answer = client.get(f"{BATCH}/{job_id}")
    assert answer.status_code == 200, answer.text
    StatusOut.model_validate_json(answer.content)
    body: Json = answer.json()
    over = body["job"]["status"] != "PROCESSING"
    assert ("finished" in body["job"]) == over
    assert ("errors" in body) == (body["job"]["status"] == "FAILED")
    return body


def over(client: httpx.Client, job_id: str) -> Json:
    """The status of a job once it is over."""
    deadline = time.monotonic() + DEADLINE_S
    while (body := polled(client, job_id))["job"]["status"] == "PROCESSING":
        assert time.monotonic() < deadline, body
        time.sleep(0.02)
    return body


def listed(client: httpx.Client, job_id: str, which: str, **params: str) -> list[Json]:
    """All pages of a list."""
    found: list[Json] = []
    model = ImportsOut if which == "imports" else ErrorsOut
    while True:
        answer = client.get(f"{BATCH}/{job_id}/{which}", params=params)
        assert answer.status_code == 200, answer.text
        model.model_validate_json(answer.content)
        body = answer.json()
        found += body["results"]
        if "next_page_token" not in body:
            assert body["total_records"] == str(len(found))
            return found
        assert body["next_page_token"] != params.get("page_token")
        params["page_token"] = body["next_page_token"]


def refused(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/json"
    FaultOut.model_validate_json(answer.content)
    return str(answer.json()["message"])


def jobs(client: httpx.Client, project: str, **params: str) -> list[Json]:
    found: list[Json] = client.get(f"/v1/projects/{project}/jobs", params=params).json()["jobs"]
    return found


def job(client: httpx.Client, project: str, source_id: str) -> Json:
    [found] = jobs(client, project, source_id=source_id)
    return found
