"""Batches over TCP: taken, applied in the background, polled, and asked after, in FullStory's words.

Invariants: each test has a project of its own on the shared server, and reads what was recorded through the native API."""

from __future__ import annotations

import gzip
import json

import httpx2 as httpx
import pytest
from uuid_utils.compat import uuid7

from tests.fix_fullstory import (
    BATCH,
    item,
    job,
    jobs,
    life,
    listed,
    over,
    polled,
    post,
    refused,
    taken,
)
from tests.fix_server import LiveServer


@pytest.fixture
def project() -> str:
    return f"fullstory-{uuid7()}"


@pytest.fixture
def client(shared_server: LiveServer, project: str) -> httpx.Client:
    key = shared_server.issue(project, name="writer").key
    return shared_server.opened(headers={"Authorization": f"Basic {key}"})


@pytest.fixture
def native(shared_server: LiveServer, project: str) -> httpx.Client:
    return shared_server.client_of(project)


def test_a_batch_is_applied_in_order(
    client: httpx.Client, native: httpx.Client, project: str
) -> None:
    items = [
        {
            "name": "job.created",
            "timestamp": "2026-03-01T12:00:00.5Z",
            "user": {"uid": "anna"},
            "properties": {"job": "vm 7", "type": "VirtualServer", "detail": {"size": 2}},
        },
        item("queued", "vm 7", note="é"),
        item("started", "vm 7"),
        item("items_reported", "vm 7", succeeded=1, total=2),
        item("succeeded", "vm 7"),
        *life("vm 8"),
    ]
    batch = taken(client, items)
    done = over(client, batch)
    assert (done["imports"], done["job"]["status"]) == (len(items), "COMPLETED")
    found = job(native, project, "vm 7")
    assert (found["owner"], found["detail"], found["state"]) == ("anna", {"size": 2}, "Succeeded")
    assert found["created_at"] == "2026-03-01T12:00:00.500000Z"
    assert [stay["state"] for stay in found["history"]] == [
        "Created",
        "Queued",
        "Processing",
        "Succeeded",
    ]
    assert [(stay["note"], stay["actor"]) for stay in found["history"]][1] == ("é", "writer")
    assert job(native, project, "vm 8")["owner"] == "writer"
    shown = listed(client, batch, "imports")
    assert [{**one, "ledger": None} for one in shown[:1]] == [{**items[0], "ledger": None}]
    positions = [one["ledger"]["position"] for one in shown]
    assert positions == list(range(positions[0], positions[0] + len(items)))
    assert polled(client, shown[0]["ledger"]["job"])["imports"] == 1
    assert listed(client, batch, "errors") == []


def test_a_batch_is_a_job_with_a_history(
    client: httpx.Client, native: httpx.Client, project: str
) -> None:
    batch = taken(client, life("a", "started"))
    over(client, batch)
    [found] = jobs(native, project, type="BatchImport")
    assert [stay["state"] for stay in found["history"]] == [
        "Created",
        "Queued",
        "Processing",
        "Succeeded",
    ]
    assert found["items"] == {"total": 2, "succeeded": 2, "failed": 0}
    assert (found["owner"], found["command"], found["progress"]) == ("writer", "events", 1.0)
    assert found["ended_by"] == "jobledger"
    assert polled(client, found["id"])["job"]["id"] == batch


def test_an_item_s_error_spares_the_others(
    client: httpx.Client, native: httpx.Client, project: str
) -> None:
    items = [
        *life("a"),
        item("started", "nobody"),
        item("succeeded", "a"),
        item("started", "a"),
        item("progressed", "a", progress=7),
        item("started"),
        item("created", "a", type="VirtualServer"),
        item("created", "b"),
        {"properties": {"job": "a"}},
        {"name": "Support Ticket", "properties": {"job": "a"}},
        "nothing",
        item("noted", "a", colour="red"),
        {**item("noted", "a"), "timestamp": "yesterday"},
        {**item("noted", "a"), "timestamp": "2999-01-01T00:00:00Z"},
        item("noted", "a\x00", note="\x00"),
        item("created", "c", type="x" * 2_000),
        item("succeeded", "a"),
        item("succeeded", "a"),
    ]
    batch = taken(client, items)
    done = over(client, batch)
    errors = listed(client, batch, "errors")
    assert (done["imports"], done["errors"], done["job"]["status"]) == (4, 14, "FAILED")
    assert [one["event"] for one in errors] == [items[1], items[2], *items[4:16]]
    assert [one["code"] for one in errors] == [
        "resource_not_found",
        "illegal_transition",
        "invalid",
        "required_field",
        "identity_taken",
        "required_field",
        "required_field",
        *["invalid"] * 7,
    ]
    assert errors[3]["message"] == "properties.job is required"
    assert errors[5]["message"] == "properties.type is required"
    again, first = listed(client, batch, "imports")[::-1][:2]
    assert again["ledger"] == first["ledger"], "the same end again is where it was said first"
    [found] = jobs(native, project, type="BatchImport")
    assert found["failure"] == {"kind": "item_errors", "final": True}
    assert (found["error_count"], found["items"]["failed"]) == (14, 14)
    assert job(native, project, "a")["version"] == 3


def test_the_documented_counts(client: httpx.Client) -> None:
    """42 imported and 2 in error is FAILED, as the document shows it."""
    good = [one for nth in range(21) for one in life(f"vm {nth}", "started")]
    batch = taken(client, [*good, item("started", "nobody"), item("created", "x")])
    done = over(client, batch)
    assert list(done) == ["imports", "errors", "job"]
    assert (done["imports"], done["errors"], done["job"]["status"]) == (42, 2, "FAILED")
    assert len(listed(client, batch, "imports")) == 42
    assert len(listed(client, batch, "errors")) == 2


def test_a_job_goes_by_source_id_id_or_number(
    client: httpx.Client, native: httpx.Client, project: str
) -> None:
    over(client, taken(client, life("a")))
    number, job_id = (job(native, project, "a")[name] for name in ("number", "id"))
    items = [
        item("queued", number),
        item("started", job_id),
        item("noted", str(number)),
        *life(str(number)),
        item("queued", str(number)),
    ]
    assert over(client, taken(client, items))["imports"] == len(items)
    assert job(native, project, "a")["version"] == 4
    assert job(native, project, str(number))["state"] == "Queued", "a text is a source_id first"


def test_a_job_of_another_project_is_unknown(
    client: httpx.Client, shared_server: LiveServer
) -> None:
    theirs = shared_server.client_of("fullstory-theirs")
    made = theirs.post("/v1/projects/fullstory-theirs/jobs", json={"type": "VirtualServer"}).json()
    batch = taken(client, [item("started", made["id"]), item("started", made["number"])])
    over(client, batch)
    errors = listed(client, batch, "errors")
    assert {one["code"] for one in errors} == {"resource_not_found"}
    assert theirs.get(f"/v1/projects/fullstory-theirs/jobs/{made['id']}").json()["version"] == 1
    for path in ("", "/imports", "/errors"):
        refused(theirs.get(f"{BATCH}/{batch}{path}"), 404, "resource_not_found")


def test_a_key_is_answered_the_same_and_applied_once(
    client: httpx.Client, native: httpx.Client, project: str
) -> None:
    first, again = (post(client, life("a"), "k-1") for _ in range(2))
    assert (again.status_code, again.content) == (200, first.content)
    assert over(client, first.json()["job"]["id"])["imports"] == 1
    assert post(client, life("a"), "k-1").content == first.content, "and after it is over"
    refused(post(client, life("b"), "k-1"), 400, "idempotency_key_reused")
    refused(post(client, life("b"), "k 1"), 400, "invalid")
    assert len(jobs(native, project, type="BatchImport")) == 1


def test_what_is_shared_comes_back_with_errors(client: httpx.Client) -> None:
    shared = {"context": {"browser": {"url": "https://example.com/é"}}}
    own = {**item("noted", "a"), "context": {"browser": {}}}
    batch = taken(client, [*life("a"), own], shared=shared)
    assert over(client, batch)["errors"] == 1
    [error] = listed(client, batch, "errors")
    assert (error["event"], error["shared"]) == (own, shared)
    assert error["code"] == "invalid"


def test_schemas_are_shown_when_asked_for(client: httpx.Client) -> None:
    sent = {**life("a")[0], "schema": {"properties": {"type": "str"}}}
    batch = taken(client, [sent])
    over(client, batch)
    [plain] = listed(client, batch, "imports", include_schema="false")
    [whole] = listed(client, batch, "imports", include_schema="true")
    assert "schema" not in plain
    assert whole["schema"] == sent["schema"]
    answer = client.get(f"{BATCH}/{batch}/imports", params={"include_schema": "maybe"})
    refused(answer, 400, "invalid")


def test_long_lists_come_in_pages(client: httpx.Client) -> None:
    items = [
        one
        for nth in range(1_100)
        for one in (item("created", f"j{nth}", type="T"), item("started", f"missing {nth}"))
    ]
    batch = taken(client, items)
    done = over(client, batch)
    assert (done["imports"], done["errors"]) == (1_100, 1_100)
    for which, odd in (("imports", 0), ("errors", 1)):
        shown = listed(client, batch, which)
        names = [one.get("event", one)["properties"]["job"] for one in shown]
        assert names == [one["properties"]["job"] for one in items[odd::2]]
        first = client.get(f"{BATCH}/{batch}/{which}").json()
        assert (len(first["results"]), first["total_records"]) == (1_000, "1100")
        other = {"imports": "errors", "errors": "imports"}[which]
        for token in (first["next_page_token"], "x", "=", "aW1wb3J0cyAtMQ=="):
            answer = client.get(f"{BATCH}/{batch}/{other}", params={"page_token": token})
            refused(answer, 400, "invalid")


def test_a_canceled_batch_stops_and_tells_what_it_never_came_to(
    client: httpx.Client, native: httpx.Client, project: str
) -> None:
    items = life("a", *["noted"] * 4_000)
    batch = taken(client, items)
    [found] = jobs(native, project, type="BatchImport")
    path = f"/v1/projects/{project}/jobs/{found['id']}/events"
    assert native.post(path, json={"event": "canceled"}).status_code == 200
    done = over(client, batch)
    assert done["job"]["status"] == "FAILED"
    imports, errors = (listed(client, batch, which) for which in ("imports", "errors"))
    assert (len(imports), len(errors)) == (done["imports"], done["errors"])
    assert [*({"name": one["name"]} for one in imports), *errors][-1]["code"] == "canceled"
    assert len(imports) + len(errors) == len(items)
    assert over(client, taken(client, life("b")))["imports"] == 1, "and the next one goes on"
    applied = jobs(native, project, source_id="a")
    assert (applied[0]["version"] if applied else 0) == len(imports)


def test_a_body_may_be_chunked_packed_and_without_a_type(client: httpx.Client) -> None:
    body = json.dumps({"requests": life("a")}).encode()
    chunked = client.post(BATCH, content=iter([body[:9], body[9:]]))
    assert chunked.status_code == 200, chunked.text
    packed = client.post(BATCH, content=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    assert packed.status_code == 200, packed.text
    other = client.post(BATCH, content=body, headers={"Content-Encoding": "br"})
    refused(other, 400, "unknown_encoding")


def test_a_batch_may_be_larger_than_other_requests(client: httpx.Client) -> None:
    note = "n" * 9_000
    batch = taken(client, [*life("a"), *(item("noted", "a", note=note) for _ in range(1_200))])
    assert over(client, batch)["imports"] == 1_201
    assert len(listed(client, batch, "imports")) == 1_201
