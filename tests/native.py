"""Talking to the native API in tests."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from api.dialects.native.models import ProblemOut

JOBS = "/v1/projects/demo/jobs"


def create(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = client.post(JOBS, json={"type": "VirtualServer", **fields})
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    return job


def say(client: httpx.Client, job: dict[str, Any], event: str, **fields: Any) -> httpx.Response:
    return client.post(f"{JOBS}/{job['id']}/events", json={"event": event, **fields})


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    ProblemOut.model_validate(body)
    assert body["code"] == code
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["hint"]
    return body
