"""Comestri over HTTP: the documented entry out of a real ledger, a job asked for and followed to its end, and every refusal.

Invariants: the server is shared, so each test has a project of its own."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx2 as httpx
import pytest
from uuid_utils.compat import uuid7

from api.dialects.comestri import comestri
from api.dialects.comestri.models import CreatedOut, FaultOut, PageOut, ShownOut
from api.operation import Scope
from ledger.commands import Command, Write
from ledger.committer import Committed, Committer
from ledger.settings import EVENT_BYTES_MAX
from projections import query
from tests.fix_comestri import JOBS, documented, documented_job, entry
from tests.fix_server import LiveServer

NEW = {
    "job": {
        "entity": "Category",
        "operation": "insert",
        "options": {"object_in_response": True},
        "data": [{"_request_data_id": "1", "name": "Cats"}, {"_request_data_id": "2"}],
    }
}


async def imported(dsn: str, project: str) -> Committed:
    """The four transitions of job 429, as an import writes them."""
    job_id = uuid7()
    commands = tuple(Command(job_id, event, envelope) for event, envelope in documented(project))
    async with Committer(dsn) as committer:
        return await committer.commit(Write(commands))


def page(client: httpx.Client, **words: Any) -> dict[str, Any]:
    answer = client.get(JOBS, params=words)
    assert answer.status_code == 200, answer.text
    PageOut.model_validate_json(answer.text)
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    FaultOut.model_validate_json(answer.text)
    found: dict[str, Any] = answer.json()
    return found


def test_the_documented_job_comes_back_from_the_database(shared_server: LiveServer) -> None:
    client = shared_server.client_of("comestri-429")
    position = asyncio.run(imported(shared_server.dsn, "comestri-429")).position
    client.get("/v1/projects/comestri-429/jobs", params={"min_position": position})
    found = page(client)
    in_utc = comestri("+00:00", "Pending")
    assert found == {
        "page": 1,
        "per_page": 50,
        "total_pages": 1,
        "total_entries": 1,
        "entries": [entry(documented_job(), in_utc)],
    }
    hits: tuple[dict[str, str], ...] = (
        {"id": "429"},
        {"request_id": "2e2b36a6-e6f7-42ae-a388-e53bfa2626be"},
        {"created_by": "test@fusionfactory.com"},
        {"created_time_from": "2016-05-30T14:55:57.316+10:00"},
        {"created_time_to": "2016-05-30T04:55:57.316Z"},
        {"updated_time_from": "2016-05-30T04:55:58.671Z"},
        {"updated_time_to": "2016-05-30T14:55:58.671+10:00"},
        {"type": "Category", "command": "insert", "state": "Succeeded"},
    )
    misses: tuple[dict[str, str], ...] = (
        {"id": "430"},
        {"id": "x"},
        {"request_id": "2e2b36a6"},
        {"created_by": "test"},
        {"created_time_from": "2016-05-30T04:55:57.317Z"},
        {"created_time_to": "2016-05-30T04:55:57.315Z"},
        {"updated_time_from": "2016-05-30T04:55:58.672Z"},
        {"updated_time_to": "2016-05-30T04:55:58.670Z"},
        {"page": "2"},
    )
    for words in hits:
        assert page(client, **words) == found, words
    for words in misses:
        assert page(client, **words)["entries"] == [], words
    assert page(client, page=9)["total_entries"] == 1
    empty = page(client, id="430")
    assert (empty["total_pages"], empty["total_entries"]) == (1, 0)


def test_a_job_is_asked_for_and_followed_to_its_end(shared_server: LiveServer) -> None:
    client = shared_server.client_of("comestri-new", name="shop@example.com")
    answer = client.post(JOBS, json=NEW)
    assert answer.status_code == 201, answer.text
    CreatedOut.model_validate_json(answer.text)
    made = answer.json()
    assert (made["status"], made["created_by"]) == ("ready_to_process", "shop@example.com")
    address = answer.headers["location"]
    assert address == f"{shared_server.url}{JOBS}/{made['id']}"
    [listed] = page(client, request_id=made["request_id"])["entries"]
    assert (listed["status"], listed["result"]) == ("ready_to_process", "Pending")
    # The worker tells the ledger in the ledger's own words.
    events = f"/v1/projects/comestri-new/jobs/{made['sidekiq_job_id']}/events"
    bad = {"message": "name is missing", "description": "2"}
    shown: dict[str, Any] = {}
    for event, status, percent, result in (
        ({"event": "started"}, "processing", 0, "Pending"),
        ({"event": "items_reported", "total": 2, "succeeded": 1}, "processing", 0.5, "Pending"),
        (
            {"event": "failed", "kind": "item_errors", "error_count": 1, "messages": [bad]},
            *("complete", 1, "Failure"),
        ),
    ):
        said = client.post(events, json=event)
        assert said.status_code == 200, said.text
        shown = client.get(address).json()
        assert (shown["status"], shown["percent_completed"], shown["result"]) == (
            *(status, percent, result),
        )
    ShownOut.model_validate(shown)
    assert shown["processing_details"] == [
        {"errors": [], "id": None, "_request_data_id": "1", "category": NEW["job"]["data"][0]},  # type: ignore[index]
        {"errors": ["name is missing"], "id": None, "_request_data_id": "2", "category": {"_request_data_id": "2"}},
    ]  # fmt: skip
    history = client.get(events.replace("/events", "/history")).json()["history"]
    assert [stay["state"] for stay in history] == ["Created", "Queued", "Processing", "Failed"]


def test_a_repeated_request_makes_one_job(shared_server: LiveServer) -> None:
    client = shared_server.client_of("comestri-twice")
    answers = [client.post(JOBS, json=NEW, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert page(client)["total_entries"] == 1
    other = {"job": {**NEW["job"], "operation": "delete"}}
    refused(client.post(JOBS, json=other, headers={"Idempotency-Key": "k"}), 422)


def test_pages_joined_are_the_list(shared_server: LiveServer) -> None:
    client = shared_server.client_of("comestri-pages")
    made = client.post(
        "/v1/projects/comestri-pages/jobs", json={"jobs": [{"type": "T"} for _ in range(23)]}
    )
    assert made.status_code == 201
    numbers = [job["number"] for job in made.json()["jobs"]]
    first = page(client, per_page=5)
    assert (first["total_pages"], first["total_entries"]) == (5, 23)
    seen = [
        one["id"] for nth in range(1, 7) for one in page(client, per_page=5, page=nth)["entries"]
    ]
    assert seen == numbers[::-1]


def test_a_payload_that_does_not_fit_saves_nothing(shared_server: LiveServer) -> None:
    client = shared_server.client_of("comestri-bad")
    large = {"job": {**NEW["job"], "data": [{"text": "x" * EVENT_BYTES_MAX}]}}
    for body in (
        b"",
        b"{",
        b"[]",
        json.dumps({"job": {"entity": "E"}}).encode(),
        json.dumps(large).encode(),
    ):
        refused(client.post(JOBS, content=body), 422)
    told = refused(client.post(JOBS, json={"job": {**NEW["job"], "operation": "explode"}}), 422)
    assert list(told["errors"]) == ["job.operation"]
    assert "262144" in refused(client.post(JOBS, json=large), 422)["message"]
    assert page(client)["total_entries"] == 0
    assert client.get("/v1/projects/comestri-bad/events").json()["events"] == []


def test_credentials_and_rights(shared_server: LiveServer) -> None:
    key, _ = shared_server.make_key("comestri-who", [Scope.JOBS_READ])
    basic = base64.b64encode(f"client:{key}".encode()).decode()
    for word in (f"Basic {basic}", f"Token token={key},email=a@b.c", f"Bearer {key}"):
        client = shared_server.opened({"Authorization": word})
        assert page(client)["entries"] == []
        assert "jobs:write" in refused(client.post(JOBS, json=NEW), 403)["message"]
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Token token={key}x"}):
        for path in (JOBS, f"{JOBS}/429"):
            answer = shared_server.opened(headers).get(path)
            refused(answer, 401)
            assert 'Token realm="job ledger"' in answer.headers["www-authenticate"]


def test_nothing_of_another_tenant_is_told(shared_server: LiveServer) -> None:
    mine, other = (shared_server.client_of(f"comestri-{name}") for name in ("mine", "other"))
    made = mine.post(JOBS, json=NEW).json()
    assert mine.get(f"{JOBS}/{made['id']}").status_code == 200
    strange = refused(other.get(f"{JOBS}/{made['id']}"), 404)
    assert strange == refused(other.get(f"{JOBS}/9007199254740991"), 404)
    for words in ({}, {"id": made["id"]}, {"request_id": made["request_id"]}):
        assert page(other, **words)["total_entries"] == 0


def test_other_paths_verbs_and_crashes(
    shared_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = shared_server.client_of("comestri-odd")
    for path in ("/api/v2/", "/api/v2/carts", f"{JOBS}/", f"{JOBS}/x", f"{JOBS}/429/more"):
        refused(client.get(path), 404)
    for verb, path in (
        ("PUT", JOBS),
        ("DELETE", f"{JOBS}/429"),
        ("POST", f"{JOBS}/429"),
        ("PATCH", JOBS),
    ):
        refused(client.request(verb, path), 404)
    assert refused(client.get(f"{JOBS}?per_page=0"), 422)["errors"].keys() == {"per_page"}
    refused(client.get(f"{JOBS}?created_by=%ff"), 422)
    refused(client.get(f"{JOBS}?created_by=%00"), 422)
    refused(client.get(f"{JOBS}?x={'x' * 17_000}"), 422)

    def crash(*_: object) -> None:
        raise RuntimeError("seeded")

    monkeypatch.setattr(query, "find", crash)
    answer = client.get(JOBS)
    assert answer.headers["x-request-id"] in refused(answer, 500)["message"]
    assert "seeded" not in answer.text
