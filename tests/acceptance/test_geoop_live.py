"""GeoOp's API over TCP, as its document says it: envelope, metadata, pages, and what PATCH and DELETE mean for jobs.

Invariants: each test has a project of its own on the shared server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest
from uuid_utils.compat import uuid7

from tests.fix_geoop import A, B, C, Json, create, error, failure, listed, objects, send, success
from tests.fix_server import LiveServer


@pytest.fixture
def project() -> str:
    return f"geoop-{uuid7()}"


@pytest.fixture
def client(shared_server: LiveServer, project: str) -> httpx.Client:
    """A client of a new project that may read and write."""
    return shared_server.client_of(project)


def test_items_are_created_and_told_with_what_was_received(client: httpx.Client) -> None:
    item = {
        "type": "VirtualServer", "command": "CreateVirtualServer", "object": "web é", "owner": "ann", "requestId": "r-1",
        "sourceId": "s-1", "description": "A server.", "detail": {"z": 1, "a": [None, "x"]}, "note": "please",
    }  # fmt: skip
    answer = send(client, "POST", "/jobs", item, {"type": "LoadBalancer", "status": {"id": 1}})
    body = success(answer)
    assert body["metadata"] == {"receivedItemsCount": 2, "validItems": [0, 1], "invalidItems": []}
    first, second = body["jobs"]
    for name in item.keys() - {"note"}:
        assert first[name] == item[name], name
    assert list(first["detail"]) == ["z", "a"]
    assert first["status"] == {"id": 7, "name": "Created"}
    assert [entry["note"] for entry in first["history"]] == ["please"]
    assert second["status"] == {"id": 1, "name": "Queued"}
    assert success(client.get(f"/jobs/{first['id']}"))["jobs"] == [first]
    assert int(answer.headers["ledger-position"]) == second["history"][-1]["id"]


def test_an_item_may_come_by_itself(client: httpx.Client) -> None:
    body = success(client.post("/jobs", json=A))
    assert body["metadata"]["receivedItemsCount"] == 1
    [job] = body["jobs"]
    changed = success(client.patch("/jobs", json={"id": job["id"], "status": "Queued"}))
    assert changed["jobs"][0]["status"]["id"] == 1
    changed = success(client.patch(f"/jobs/{job['id']}", json={"status": 2}))
    assert changed["jobs"][0]["attempts"] == 1


def test_patch_moves_jobs_from_status_to_status(client: httpx.Client) -> None:
    a, b, c = (job["id"] for job in create(client, A, B, C))
    body = success(
        send(
            client, "PATCH", "/jobs",
            {"id": a, "status": {"id": 2}, "note": "worker 7", "progress": 0.25, "occurredAt": "2020-01-01T01:00:00+01:00"},
            {"id": b, "status": {"name": "Queued"}},
            {"id": b, "status": {"id": 2, "name": "Processing"}, "items": {"total": 4, "succeeded": 1}},
            {"id": c, "note": "only a remark"},
        )
    )  # fmt: skip
    assert body["metadata"]["receivedItemsCount"] == 4
    first, second, third = body["jobs"]
    assert [job["id"] for job in body["jobs"]] == [a, b, c]
    assert (first["status"]["name"], first["progress"], first["startedAt"]) == (
        "Processing",
        0.25,
        "2020-01-01T00:00:00Z",
    )
    assert [entry["note"] for entry in first["history"]] == [None, "worker 7"]
    assert (second["progress"], second["items"]["total"]) == (0.25, 4)
    assert [entry["status"]["id"] for entry in second["history"]] == [7, 1, 2]
    assert third["status"]["id"] == 7
    ended = success(
        send(
            client, "PATCH", "/jobs",
            {"id": a, "status": 3, "progress": 0.75},
            {"id": b, "status": 4, "kind": "item_errors", "items": {"total": 4, "succeeded": 3, "failed": 1},
             "messages": [{"code": 7, "message": "no room"}]},
            {"id": c, "status": "Fatal"},
        )
    )  # fmt: skip
    assert [job["status"]["id"] for job in ended["jobs"]] == [3, 4, 6]
    assert [job["errorCount"] for job in ended["jobs"]] == [0, 1, 0]
    assert ended["jobs"][1]["messages"] == [{"code": 7, "message": "no room", "description": None}]
    assert listed(client)["jobs"] == ended["jobs"][::-1]


def test_a_status_that_a_job_has_already_changes_nothing(client: httpx.Client) -> None:
    [job] = create(client, {**A, "status": 1})
    for _ in range(2):
        [after] = success(client.patch(f"/jobs/{job['id']}", json={"status": 1}))["jobs"]
        assert after == job
    [after] = success(client.patch(f"/jobs/{job['id']}", json={"status": 1, "note": "still"}))[
        "jobs"
    ]
    assert after["history"] == job["history"]


def test_a_failure_that_is_retried_is_still_processing(client: httpx.Client) -> None:
    [job] = create(client, A)
    path = f"/jobs/{job['id']}"
    success(client.patch(path, json={"status": 2}))
    [failed] = success(client.patch(path, json={"status": 4, "final": False}))["jobs"]
    assert failed["status"] == {"id": 2, "name": "Processing"}
    assert failed["history"][-1]["status"] == {"id": 4, "name": "Failed"}
    [again] = success(client.patch(path, json={"status": 2}))["jobs"]
    assert again["attempts"] == 2
    [fatal] = success(client.patch(path, json={"status": 4}))["jobs"]
    assert fatal["status"]["name"] == fatal["history"][-1]["status"]["name"] == "Fatal"


def test_delete_cancels(client: httpx.Client) -> None:
    a, b, c = (job["id"] for job in create(client, A, B, C))
    [job] = success(client.delete(f"/jobs/{a}"))["jobs"]
    assert job["status"] == {"id": 5, "name": "Canceled"}
    body = success(send(client, "DELETE", "/jobs", {"id": b, "note": "not needed"}, {"id": a}))
    assert body["metadata"] == {"receivedItemsCount": 2, "validItems": [0, 1], "invalidItems": []}
    assert [one["id"] for one in body["jobs"]] == [b, a]
    assert body["jobs"][0]["history"][-1]["note"] == "not needed"
    success(client.patch(f"/jobs/{c}", json={"status": 2}))
    success(client.patch(f"/jobs/{c}", json={"status": 3}))
    refused = failure(client.delete(f"/jobs/{c}"))
    assert refused["failures"][0]["rawData"] == {"id": c}
    assert failure(send(client, "DELETE", "/jobs", {"id": a}, {"id": c}))["metadata"][
        "validItems"
    ] == [0]
    assert error(client.delete("/jobs"), 400, "syntax")


def test_pages_and_their_metadata(client: httpx.Client) -> None:
    empty = listed(client)
    assert empty["jobs"] == []
    assert empty["metadata"] == {
        "page": 1,
        "recordsPerPage": 50,
        "pagesCount": 1,
        "recordsCount": 0,
    }
    create(client, A, B, C)
    page = listed(client, recordsPerPage=2)
    assert objects(page) == "cb"
    assert page["metadata"] == {"page": 1, "recordsPerPage": 2, "pagesCount": 2, "recordsCount": 3}
    assert objects(listed(client, recordsPerPage=2, page=2)) == "a"
    assert listed(client, recordsPerPage=2, page=9)["jobs"] == []
    bare = listed(client, recordsCount="false")
    assert bare["metadata"] == {"page": 1, "recordsPerPage": 50}
    assert listed(client, recordsCount="true")["metadata"]["recordsCount"] == 3
    one = success(client.get(f"/jobs/{page['jobs'][0]['id']}"))
    assert one["metadata"] == {"page": 1, "recordsPerPage": 1, "pagesCount": 1, "recordsCount": 1}


def test_extra_filters_and_orders(client: httpx.Client) -> None:
    create(client, {**A, "owner": "ann"}, {**B, "type": "Other"}, {**C, "status": 1})
    found: tuple[tuple[Json, str], ...] = (
        ({"state": "Queued"}, "c"),
        ({"state": ["Created", "Queued"], "sort": "created"}, "abc"),
        ({"type": "Other"}, "b"),
        ({"owner": "ann"}, "a"),
        ({"object": "nothing"}, ""),
        ({"created_to": "2001-01-01"}, ""),
    )
    for params, expected in found:
        assert objects(listed(client, **params)) == expected, params


def test_x_method_overrides_the_verb_and_x_version_is_echoed(client: httpx.Client) -> None:
    [job] = create(client, A)
    path = f"/jobs/{job['id']}"
    moved = client.post(path, json={"status": 2}, headers={"X-Method": "PATCH", "X-Version": "1.3"})
    assert success(moved)["jobs"][0]["status"]["id"] == 2
    assert moved.headers["x-version"] == "1.3"
    assert success(client.patch("/jobs", headers={"X-Method": "get"}))["metadata"]["page"] == 1
    assert success(client.get(path, headers={"X-Method": "DELETE"}))["jobs"][0]["status"]["id"] == 5
    assert error(client.get("/jobs", headers={"X-Method": "PURGE"}), 405, "client")
    assert "x-version" not in client.get("/jobs").headers
    for word in ("2.0", "latest", ""):
        refused = client.get("/jobs", headers={"X-Version": word})
        error(refused, 400, "syntax")
        assert "x-version" not in refused.headers
    refused = client.get("/jobs/0", headers={"X-Version": "1.1"})
    error(refused, 404, "client")
    assert refused.headers["x-version"] == "1.1"


def test_a_repeated_key_has_one_effect(client: httpx.Client) -> None:
    first = send(client, "POST", "/jobs", A, **{"Idempotency-Key": "k"})
    again = send(client, "POST", "/jobs", A, **{"Idempotency-Key": "k"})
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    other = error(send(client, "POST", "/jobs", B, **{"Idempotency-Key": "k"}), 422, "content")
    assert other["code"] == 4224
    [job] = success(first)["jobs"]
    path = f"/jobs/{job['id']}"
    moved = client.patch(path, json={"status": 2}, headers={"Idempotency-Key": "m"})
    success(client.patch(path, json={"status": 3}))
    # Decided anew it would be refused: the job has come to its end.
    repeated = client.patch(path, json={"status": 2}, headers={"Idempotency-Key": "m"})
    assert repeated.content == moved.content
    assert error(
        client.post("/jobs", json=A, headers={"Idempotency-Key": "a b"}), 422, "validation"
    )


def test_of_racing_changes_one_wins(client: httpx.Client) -> None:
    [job] = create(client, A)
    path = f"/jobs/{job['id']}"
    success(client.patch(path, json={"status": 2}))
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda status: client.patch(path, json={"status": status}), (3, 4, 5, 3, 4, 5))
        )
    assert {answer.status_code for answer in answers} == {200, 422}
    [after] = success(client.get(path))["jobs"]
    for answer, status in zip(answers, (3, 4, 5, 3, 4, 5), strict=True):
        assert (answer.status_code == 200) == (after["status"]["id"] == status)
    assert len(after["history"]) == 3
