"""The native API over a real server: how it refuses, and what it tells of itself."""

from __future__ import annotations

import re
from typing import Any

import pytest

from api.operation import Scope
from projections import PROJECTIONS
from tests.fix_server import LiveServer
from tests.native import JOBS, create, problem, say


def test_a_cursor_belongs_to_its_list(live_server: LiveServer) -> None:
    client = live_server.client
    client.post(JOBS, json={"jobs": [{"type": "T"}] * 3})
    following = client.get(JOBS, params={"limit": 2}).json()["next"]
    cursor = re.search(r"cursor=([^&]+)", following)[1]  # type: ignore[index]
    problem(client.get(JOBS, params={"cursor": cursor, "type": "T"}), 422, "invalid")
    problem(client.get(JOBS, params={"cursor": cursor[:-3] + "AAA"}), 422, "invalid")
    other = live_server.client_of("other")
    problem(other.get("/v1/projects/other/jobs", params={"cursor": cursor}), 422, "invalid")


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("stat=Queued", "stat"),
        ("state=Resting", "state"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("sort=colour", "sort"),
        ("cursor=%25%25", "cursor"),
        ("count=some", "count"),
        ("created_from=yesterday", "created_from"),
        ("number=1e3", "number"),
        ("owner=a&owner=b", "owner"),
        ("min_position=-1", "min_position"),
    ],
)
def test_a_bad_parameter_is_named(shared_server: LiveServer, words: str, field: str) -> None:
    body = problem(shared_server.client.get(f"{JOBS}?{words}"), 422, "invalid")
    assert body["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[1]",
        b'"x"',
        b"null",
        b'{"type":"a\\u0000"}',
        b'{"type":"\\ud800"}',
        b"[" * 10_000,
    ],
)
def test_a_body_that_is_no_job_is_refused(shared_server: LiveServer, body: bytes) -> None:
    def recorded() -> object:
        # Other tests write to this server, one after the other.
        return shared_server.client.get("/v1/projects/demo/counts").json()

    before = recorded()
    answer = shared_server.client.post(JOBS, content=body)
    assert answer.status_code in (400, 422), answer.text
    assert recorded() == before


def test_numbers_and_names_are_given_once(live_server: LiveServer) -> None:
    client = live_server.client
    job = create(client, number=60531, request_id="r-1", source_id="s-1")
    for field, value in (("number", 60531), ("request_id", "r-1"), ("source_id", "s-1")):
        body = problem(client.post(JOBS, json={"type": "A", field: value}), 409, "identity_taken")
        assert (body["field"], body["job"]) == (field, job["id"])
    assert {create(client)["number"] for _ in range(3)}.isdisjoint({60531})


def test_credentials_and_scopes(shared_server: LiveServer) -> None:
    nobody = shared_server.opened()
    refused = nobody.get(JOBS)
    problem(refused, 401, "unauthenticated")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    problem(nobody.get(JOBS, headers={"Authorization": "Bearer jl_x_y_z"}), 401, "unauthenticated")
    reader = shared_server.client_of("demo", [Scope.JOBS_READ])
    problem(reader.post(JOBS, json={"type": "A"}), 403, "forbidden")
    canceler = shared_server.client_of("demo", [Scope.JOBS_CANCEL])
    job = create(shared_server.client)
    problem(say(canceler, job, "queued"), 403, "forbidden")
    assert say(canceler, job, "canceled").json()["ended_by"] == "demo-client"


def test_another_tenant_sees_nothing(live_server: LiveServer) -> None:
    job = create(live_server.client)
    other = live_server.client_of("other")
    problem(other.get(f"{JOBS}/{job['id']}"), 404, "unknown_project")
    problem(other.get(f"/v1/projects/other/jobs/{job['id']}"), 404, "unknown_job")
    problem(other.get(f"/v1/projects/other/jobs/{job['id']}/events"), 404, "unknown_job")
    problem(
        other.post(f"/v1/projects/other/jobs/{job['id']}/events", json={"event": "canceled"}),
        404,
        "unknown_job",
    )
    assert other.get("/v1/projects/other/jobs?count=exact").json() == {
        "jobs": [],
        "next": None,
        "total": 0,
    }


def test_nobody_serves_this_path_or_method(shared_server: LiveServer) -> None:
    problem(shared_server.client.get("/v1/nothing"), 404, "no_such_path")
    refused = shared_server.client.delete(JOBS)
    problem(refused, 405, "wrong_method")
    assert refused.headers["allow"] == "GET, HEAD, POST"
    head = shared_server.client.head(JOBS)
    assert (head.status_code, head.content) == (200, b"")


def test_too_large_a_body_is_refused_unread(shared_server: LiveServer) -> None:
    def endless() -> Any:
        for _ in range(200):
            yield b" " * 65_536

    problem(shared_server.client.post(JOBS, content=endless()), 413, "too_large")


def test_the_ledger_tells_of_itself(live_server: LiveServer) -> None:
    client = live_server.opened()
    assert client.get("/livez").status_code == 200
    create(live_server.client)
    ready = client.get("/readyz")
    assert ready.status_code == 200, ready.text
    assert set(ready.json()["projections"]) == {one.name for one in PROJECTIONS}
    assert "jobledger_requests_total" in client.get("/metrics").text


def test_what_is_remembered_of_lists_is_among_the_figures(live_server: LiveServer) -> None:
    client = live_server.client
    create(client)
    lists = [client.get(JOBS).text for _ in range(2)]
    assert lists[0] == lists[1]
    figures = dict(
        line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if line[0] != "#"
    )
    told = [
        float(figures[f'jobledger_listed_jobs_total{{remembered="{one}"}}'])
        for one in ("yes", "no")
    ]
    assert sum(told) == 2
    assert told[1] >= 1
    assert "jobledger_lately_bytes" in figures
    assert client.get("/version").json()["eventsourcing"]
    document = client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    page = client.get("/docs")
    assert "http://" not in page.text.replace(live_server.url, "")
    assert "createJobs" in page.text


@pytest.mark.parametrize("path", [JOBS, "/v1/projects/demo/counts"])
def test_a_position_that_no_event_has_is_not_waited_for(
    shared_server: LiveServer, path: str
) -> None:
    for position in (10**9, 2**53 - 1):
        answer = shared_server.client.get(f"{path}?min_position={position}")
        assert problem(answer, 422, "invalid")["errors"][0]["field"] == "min_position"
