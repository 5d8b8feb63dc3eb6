"""What FullStory's dialect refuses over TCP, in its words: bad bodies, results asked for too early, and who may not.

Invariants: what is refused leaves nothing behind."""

from __future__ import annotations

from uuid import UUID

import httpx2 as httpx
import pytest
from uuid_utils.compat import uuid7

from api.operation import Scope
from tests.fix_fullstory import BATCH, jobs, life, over, post, refused
from tests.fix_server import LiveServer


@pytest.fixture
def project() -> str:
    return f"fullstory-{uuid7()}"


@pytest.fixture
def client(shared_server: LiveServer, project: str) -> httpx.Client:
    return shared_server.client_of(project)


def test_bad_bodies_are_refused_and_kept_nowhere(client: httpx.Client, project: str) -> None:
    for body, code in (
        (b"", "bad_syntax"),
        (b"[]", "bad_syntax"),
        (b'{"requests": [1}', "bad_syntax"),
        (b'{"requests": [1]} x', "bad_syntax"),
        (b'{"requests": [NaN]}', "bad_syntax"),
        (b'{"requests": ["\xff"]}', "bad_syntax"),
        (b'{"requests": ' + b"[" * 100_000, "bad_syntax"),
        (b"{}", "required_field"),
        (b'{"requests": []}', "required_field"),
        (b'{"requests": {}}', "invalid"),
        (b'{"requests": [1], "colour": 1}', "invalid"),
        (b'{"requests": [1], "shared": []}', "invalid"),
        (b'{"requests": [' + b"1," * 50_000 + b"1]}", "too_large"),
    ):
        refused(client.post(BATCH, content=body), 400, code)
    assert jobs(client, project) == []


def test_results_are_not_there_before_the_end(client: httpx.Client, project: str) -> None:
    made = client.post(f"/v1/projects/{project}/jobs", json={"type": "VirtualServer"}).json()
    for which in ("imports", "errors"):
        answer = client.get(f"{BATCH}/{made['id']}/{which}")
        refused(answer, 409, "still_processing")
        assert int(answer.headers["retry-after"]) > 0
    client.post(f"/v1/projects/{project}/jobs/{made['id']}/events", json={"event": "canceled"})
    assert over(client, made["id"])["errors"] == 0
    refused(client.get(f"{BATCH}/{made['id']}/errors"), 404, "resource_not_found")


def test_who_may_not_and_what_is_not(shared_server: LiveServer, client: httpx.Client) -> None:
    nobody = shared_server.opened()
    for answer in (nobody.get(f"{BATCH}/x"), post(nobody, life("a"))):
        refused(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Basic")
    reader = shared_server.client_of("fullstory-reader", [Scope.JOBS_READ])
    refused(post(reader, life("a")), 403, "forbidden")
    refused(reader.post(BATCH, content=b"x" * 9_000_000), 403, "forbidden")
    writer = shared_server.client_of("fullstory-reader", [Scope.JOBS_WRITE])
    refused(writer.get(f"{BATCH}/x"), 403, "forbidden")
    for path in ("x", str(UUID(int=7)), "AaIEpJcedJ223WJ0dtOrvA%3D%3D", "7"):
        message = refused(client.get(f"{BATCH}/{path}"), 404, "resource_not_found")
        assert message == "Requested resource does not exist"
    for path in ("/v2/users/batch/x", "/v2/", f"{BATCH}/x/y"):
        refused(client.get(path), 404, "resource_not_found")
    for verb in ("PUT", "DELETE", "PATCH"):
        refused(client.request(verb, BATCH), 404, "resource_not_found")
