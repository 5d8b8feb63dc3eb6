"""GeoOp's refusals over TCP: failures of items, errors of requests, tenants apart, and hostile text.

Invariants: each test has a project of its own on the shared server; a refused batch leaves nothing behind."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest
from uuid_utils.compat import uuid7

from api.dialects.geoop.models import JobOut
from api.operation import Scope
from tests.fix_geoop import A, B, C, create, error, failure, listed, send, success
from tests.fix_server import LiveServer


@pytest.fixture
def project() -> str:
    return f"geoop-{uuid7()}"


@pytest.fixture
def client(shared_server: LiveServer, project: str) -> httpx.Client:
    """A client of a new project that may read and write."""
    return shared_server.client_of(project)


def test_a_batch_with_bad_items_saves_none_and_names_them(client: httpx.Client) -> None:
    nameless = {"object": "x"}
    long = {"type": "T" * 513, "detail": 7, "colour": "red"}
    body = failure(send(client, "POST", "/jobs", A, nameless, 7, B, long))
    assert body["metadata"] == {
        "receivedItemsCount": 5,
        "validItems": [0, 3],
        "invalidItems": [1, 2, 4],
    }
    assert [one["rawData"] for one in body["failures"]] == [nameless, 7, long]
    fields = [{one.get("field") for one in failed["errors"]} for failed in body["failures"]]
    assert fields == [{"type"}, {""}, {"type", "detail", "colour"}]
    assert {one["type"] for failed in body["failures"] for one in failed["errors"]} == {
        "validation"
    }
    assert listed(client)["metadata"]["recordsCount"] == 0


def test_items_that_are_alike_are_told_apart_from_items_that_are_taken(
    client: httpx.Client,
) -> None:
    create(client, {**A, "sourceId": "s"})
    body = failure(
        send(client, "POST", "/jobs", {**A, "sourceId": "s"}, {**B, "requestId": "r"}, {**C, "requestId": "r"})
    )  # fmt: skip
    assert body["metadata"]["invalidItems"] == [0, 2]
    assert [one["errors"][0]["type"] for one in body["failures"]] == ["content", "content"]
    assert [one["errors"][0]["code"] for one in body["failures"]] == [4222, 4222]
    assert listed(client)["metadata"]["recordsCount"] == 1


def test_every_item_at_fault_is_told_at_once_and_none_is_saved(client: httpx.Client) -> None:
    a, b = (job["id"] for job in create(client, A, B))
    success(client.delete(f"/jobs/{b}"))
    before = listed(client)
    items: list[Any] = [
        {"id": a, "status": 2},
        {"id": b, "status": 2},
        {"id": 10**15, "status": 2},
        {"id": a, "status": 9},
        {"id": a},
        {"id": a, "progress": 7},
        {"id": a, "status": 7},
        {"id": "1"},
        {"id": a, "status": 3, "occurredAt": "9998-01-01T00:00:00Z"},
        {"id": a, "kind": "rejected"},
    ]
    body = failure(send(client, "PATCH", "/jobs", *items))
    assert body["metadata"]["validItems"] == [0]
    told = {
        index: (one["errors"][0]["type"], one["errors"][0].get("field"))
        for index, one in zip(body["metadata"]["invalidItems"], body["failures"], strict=True)
    }
    assert told == {
        1: ("content", None),
        2: ("content", None),
        3: ("validation", "status"),
        4: ("validation", "status"),
        5: ("validation", "progress"),
        6: ("content", None),
        7: ("validation", "id"),
        8: ("validation", "occurredAt"),
        9: ("validation", "status"),
    }
    assert [one["rawData"] for one in body["failures"]] == items[1:]
    assert listed(client) == before


def test_the_index_of_a_failure_is_the_item_s_and_not_its_event_s(client: httpx.Client) -> None:
    a, b = (job["id"] for job in create(client, A, B))
    success(client.delete(f"/jobs/{b}"))
    many = {"status": 2, "progress": 0.5, "items": {"total": 2}}
    body = failure(send(client, "PATCH", "/jobs", {"id": a, **many}, {"id": b, **many}))
    assert body["metadata"] == {"receivedItemsCount": 2, "validItems": [0], "invalidItems": [1]}
    assert [len(one["errors"]) for one in body["failures"]] == [1]
    assert success(client.get(f"/jobs/{a}"))["jobs"][0]["status"]["id"] == 7


def test_bad_parameters_are_errors_with_their_field(client: httpx.Client) -> None:
    for params in (
        {"page": "0"},
        {"page": "x"},
        {"recordsPerPage": "1001"},
        {"recordsCount": "perhaps"},
        {"sort": "colour"},
        {"state": "Running"},
        {"colour": "red"},
        {"created_from": "soon"},
        {"page": ["1", "2"]},
    ):
        [name] = params
        assert error(client.get("/jobs", params=params), 422, "validation")["field"] == name
    assert error(client.post("/jobs?page=1", json=A), 422, "validation")["field"] == "page"
    assert error(client.get("/jobs?state=%ff"), 400, "syntax")


def test_the_six_types_of_error(
    shared_server: LiveServer, client: httpx.Client, project: str
) -> None:
    nobody = shared_server.opened()
    refused = nobody.get("/jobs")
    error(refused, 401, "client")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    error(shared_server.opened({"Authorization": "Bearer jl_x_y"}).get("/jobs"), 401, "client")
    reader = shared_server.client_of(project, [Scope.JOBS_READ])
    error(reader.post("/jobs", json=A), 403, "permission")
    error(shared_server.client_of(project, [Scope.JOBS_CANCEL]).get("/jobs"), 403, "permission")
    for path in ("/jobs/1/upload", "/jobs/", "/jobsx"):
        error(client.get(path), 404, "client")
    for path in ("/jobs/999999999999", "/jobs/abc", "/jobs/0", "/jobs/99999999999999999999"):
        error(client.get(path), 404, "client")
        error(client.patch(path, json={"status": 2}), 404, "client")
        error(client.delete(path), 404, "client")
    refused = client.put("/jobs", json=A)
    error(refused, 405, "client")
    assert refused.headers["allow"] == "DELETE, GET, HEAD, PATCH, POST"
    for body in (
        b"",
        b"{",
        b"[]",
        b'"x"',
        b'{"jobs":{}}',
        b'{"jobs":[]}',
        b'{"jobs":[],"x":1}',
        b"\xff",
        b"[" * 5_000,
    ):
        error(client.post("/jobs", content=body), 400, "syntax")
    error(client.post("/jobs", json={"jobs": [A] * 1_001}), 400, "syntax")
    assert client.head("/jobs").content == b""


def test_a_canceler_may_delete_but_not_patch(
    shared_server: LiveServer, client: httpx.Client, project: str
) -> None:
    [job] = create(client, A)
    canceler = shared_server.client_of(project, [Scope.JOBS_CANCEL])
    error(canceler.patch(f"/jobs/{job['id']}", json={"status": 5}), 403, "permission")
    assert success(canceler.delete(f"/jobs/{job['id']}"))["jobs"][0]["status"]["id"] == 5


def test_another_tenant_s_jobs_are_not_there(
    shared_server: LiveServer, client: httpx.Client
) -> None:
    [job] = create(client, {**A, "sourceId": "s"})
    stranger = shared_server.client_of(f"geoop-{uuid7()}")
    path = f"/jobs/{job['id']}"
    theirs = [stranger.get(path), stranger.patch(path, json={"status": 2}), stranger.delete(path)]
    missing = f"/jobs/{10**15}"
    nobody_s = [
        stranger.get(missing),
        stranger.patch(missing, json={"status": 2}),
        stranger.delete(missing),
    ]
    for one, other in zip(theirs, nobody_s, strict=True):
        error(one, 404, "client")
        assert one.text.replace(str(job["id"]), str(10**15)) == other.text
    for verb in ("PATCH", "DELETE"):
        failure(send(stranger, verb, "/jobs", {"id": job["id"], "note": "mine"}))
    assert listed(stranger)["jobs"] == []
    create(stranger, {**A, "sourceId": "s"})
    assert success(client.get(path))["jobs"] == [job]


HOSTILE = ("\u202e<script>", "q\"u'o\\te", "%s {} $1", "\u2028\r\n\t", "😀", "=1+1", "\x7f\x01")


def test_hostile_text_comes_back_as_it_went(client: httpx.Client) -> None:
    items = [
        {"type": word, "object": word, "detail": {word: word}, "note": word} for word in HOSTILE
    ]
    jobs = create(client, *items)
    for job, word in zip(jobs, HOSTILE, strict=True):
        assert success(client.get(f"/jobs/{job['id']}"))["jobs"] == [job]
        assert (job["type"], job["detail"]) == (word, {word: word})
        JobOut.model_validate(job)
    bodies = (
        '{"type": "a\\u0000b"}',
        '{"type": "\\ud800"}',
        '{"type": NaN}',
        '{"type": 1e999}',
        '{"id": 1}',
    )
    for text in bodies:
        assert client.post("/jobs", content=text).status_code in (400, 422), text
    deep = b'{"type": "a", "detail": {"a": ' + b"[" * 60 + b"]" * 60 + b"}}"
    failure(client.post("/jobs", content=deep))
