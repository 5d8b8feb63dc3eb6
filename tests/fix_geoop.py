"""What the tests of the GeoOp dialect share: requests in words, and answers over TCP.

Invariants: every answer is held against the models that OpenAPI is made from; nothing here touches a database."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2 as httpx
import pydantic_core

from api.dialects.geoop import GEOOP
from api.dialects.geoop.models import FailureOut, FatalOut, PageOut, SavedOut
from api.operation import Asked, Operation, Principal, Scope
from ledger.job import Job
from ledger.names import Name, by_number
from tests.fix_gogrid import NOW, live

__all__ = ["NOW", "live"]

Json = dict[str, Any]

GOLDEN = Path(__file__).parent / "golden" / "geoop"
WRITER = Principal("k", "writer", "demo", frozenset({Scope.JOBS_READ, Scope.JOBS_WRITE}))


def asked(method: str = "GET", number: str | None = None, body: Any = None, **fields: Any) -> Asked:
    """A request: of the collection, or of the job that `number` names."""
    given: dict[str, Any] = {
        "method": method,
        "path": "/jobs" if number is None else f"/jobs/{number}",
        "path_params": {} if number is None else {"id": number},
        "body": b"" if body is None else pydantic_core.to_json(body),
        "principal": WRITER,
        "now": NOW,
        "request_id": "r-1",
        "new_id": lambda: UUID(int=7),
    }
    return Asked(**{**given, **fields})


def operation(request: Asked) -> Operation:
    """The operation of a request."""
    path = "/jobs/{id}" if request.path_params else "/jobs"
    return next(one for one in GEOOP.operations if (one.method, one.path) == (request.method, path))


def found(*jobs: Job) -> dict[Name, Job]:
    """Jobs by the names that requests call them by."""
    return {by_number(job.number): job for job in jobs}


def success(answer: httpx.Response) -> Json:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: Json = answer.json()
    model = PageOut if "page" in body["metadata"] else SavedOut
    model.model_validate_json(answer.content)
    assert body["result"] == "success"
    return body


def failure(answer: httpx.Response) -> Json:
    assert answer.status_code == 422, answer.text
    body: Json = answer.json()
    FailureOut.model_validate_json(answer.content)
    metadata = body["metadata"]
    assert len(metadata["invalidItems"]) == len(body["failures"])
    both = sorted(metadata["validItems"] + metadata["invalidItems"])
    assert both == list(range(metadata["receivedItemsCount"]))
    return body


def error(answer: httpx.Response, status: int, kind: str) -> Json:
    assert answer.status_code == status, answer.text
    FatalOut.model_validate_json(answer.content)
    body: Json = answer.json()
    assert set(body) == {"result", "error"}
    assert body["error"]["type"] == kind
    found: Json = body["error"]
    return found


def send(
    client: httpx.Client, method: str, path: str, *items: Any, **headers: str
) -> httpx.Response:
    body = {"jobs": list(items)}
    return client.request(method, path, json=body, headers=headers)


def create(client: httpx.Client, *items: Json) -> list[Json]:
    body = success(send(client, "POST", "/jobs", *items))
    jobs: list[Json] = body["jobs"]
    return jobs


def listed(client: httpx.Client, **params: Any) -> Json:
    return success(client.get("/jobs", params=params))


def objects(body: Json) -> str:
    return "".join(job["object"] for job in body["jobs"])


A, B, C = ({"type": "VirtualServer", "object": name} for name in "abc")
