"""The native API over a real server: what each operation answers, and how it refuses."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import pytest

from api.dialects.native.models import CountsOut, EventsOut, JobOut, ProblemOut
from api.operation import Scope
from tests.fix_server import LiveServer

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


def test_a_job_lives_from_created_to_succeeded(live_server: LiveServer) -> None:
    client = live_server.client
    job = create(
        client,
        command="CreateVirtualServer",
        object="test 2",
        detail={"z": 1, "a": [1.5, None, "é"]},
    )
    assert job["state"] == "Created"
    assert job["owner"] == "demo-client"
    assert list(job["detail"]) == ["z", "a"]
    assert say(client, job, "queued").json()["state"] == "Queued"
    assert say(client, job, "job.started", note="worker 7").json()["attempts"] == 1
    assert say(client, job, "progressed", progress=0.25).json()["progress"] == 0.25
    reported = say(client, job, "items_reported", total=4, succeeded=1, failed=1).json()
    assert (reported["progress"], reported["error_count"]) == (0.5, 1)
    ended = say(client, job, "succeeded")
    assert ended.json()["state"] == "Succeeded"
    read = client.get(f"{JOBS}/{job['id']}")
    assert read.json() == ended.json()
    assert read.headers["etag"] == ended.headers["etag"] == '"6"'
    JobOut.model_validate_json(read.text)
    history = client.get(f"{JOBS}/{job['id']}/history").json()["history"]
    assert [entry["state"] for entry in history] == ["Created", "Queued", "Processing", "Succeeded"]
    assert history[2]["note"] == "worker 7"
    events = client.get(f"{JOBS}/{job['id']}/events").json()
    EventsOut.model_validate(events)
    assert [event["version"] for event in events["events"]] == [1, 2, 3, 4, 5, 6]
    assert {event["actor"] for event in events["events"]} == {"demo-client"}


def test_a_failure_that_is_not_final_may_be_queued_again(live_server: LiveServer) -> None:
    client = live_server.client
    job = create(client)
    for event, fields in (
        ("queued", {}),
        ("started", {}),
        ("failed", {"final": False, "messages": [{"code": 7, "message": "disk"}]}),
        ("queued", {}),
        ("started", {}),
        ("failed", {}),
    ):
        answer = say(client, job, event, **fields)
        assert answer.status_code == 200, answer.text
    ended = answer.json()
    assert (ended["attempts"], ended["failure"]) == (2, {"kind": "exception", "final": True})
    assert ended["messages"] == [{"code": 7, "message": "disk", "description": None}]
    problem(say(client, job, "queued"), 409, "illegal_transition")
    assert say(client, job, "failed").json() == ended


def test_an_answer_waits_until_lists_show_it(live_server: LiveServer) -> None:
    client = live_server.client
    for number in range(1, 21):
        job = create(client, object=f"vm {number}")
        listed = client.get(JOBS, params={"object": f"vm {number}"}).json()
        assert [one["id"] for one in listed["jobs"]] == [job["id"]]


def test_pages_join_to_the_whole_list(live_server: LiveServer) -> None:
    client = live_server.client
    batch = client.post(
        JOBS, json={"jobs": [{"type": f"T{n % 3}", "object": f"o{n}"} for n in range(57)]}
    )
    assert batch.status_code == 201, batch.text
    made = [job["id"] for job in batch.json()["jobs"]]
    for sort in ("created", "-created", "number", "-number", "-updated"):
        url: str | None = f"{JOBS}?limit=10&count=exact&sort={sort}"
        seen: list[str] = []
        while url:
            page = client.get(url)
            assert page.status_code == 200, page.text
            assert page.json()["total"] == 57
            seen += [job["id"] for job in page.json()["jobs"]]
            url = page.json()["next"]
            assert ('rel="next"' in page.headers.get("link", "")) == (url is not None)
        assert sorted(seen) == sorted(made)
        if sort in ("number", "-number"):
            assert seen == (made if sort == "number" else made[::-1])


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
def test_a_bad_parameter_is_named(live_server: LiveServer, words: str, field: str) -> None:
    body = problem(live_server.client.get(f"{JOBS}?{words}"), 422, "invalid")
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
def test_a_body_that_is_no_job_is_refused(live_server: LiveServer, body: bytes) -> None:
    answer = live_server.client.post(JOBS, content=body)
    assert answer.status_code in (400, 422), answer.text
    assert live_server.client.get("/v1/projects/demo/events").json()["events"] == []


def test_a_batch_saves_all_or_none_and_names_the_bad(live_server: LiveServer) -> None:
    client = live_server.client
    jobs = [{"type": "A"}, {"type": ""}, {"type": "B"}, {"kind": "?"}]
    body = problem(client.post(JOBS, json={"jobs": jobs}), 422, "batch_refused")
    assert [failure["index"] for failure in body["failures"]] == [1, 3]
    good = create(client)
    events = [
        {"job": good["id"], "event": "queued"},
        {"job": good["id"], "event": "succeeded"},
        {"job": str(uuid4()), "event": "queued"},
    ]
    body = problem(
        client.post("/v1/projects/demo/events", json={"events": events}), 422, "batch_refused"
    )
    assert [(one["index"], one["code"]) for one in body["failures"]] == [
        (1, "illegal_transition"),
        (2, "unknown_job"),
    ]
    assert client.get(f"{JOBS}/{good['id']}").json()["version"] == 1


def test_one_effect_and_one_answer_per_idempotency_key(live_server: LiveServer) -> None:
    client = live_server.client
    headers = {"Idempotency-Key": "order-17"}
    first = client.post(JOBS, json={"type": "A"}, headers=headers)
    say(client, first.json(), "queued")
    again = client.post(JOBS, json={"type": "A"}, headers=headers)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    problem(client.post(JOBS, json={"type": "B"}, headers=headers), 422, "idempotency_key_reused")
    assert client.get(JOBS, params={"count": "exact"}).json()["total"] == 1


def test_if_match_refuses_a_job_that_moved_on(live_server: LiveServer) -> None:
    client = live_server.client
    job = create(client)
    url = f"{JOBS}/{job['id']}/events"
    assert (
        client.post(url, json={"event": "queued"}, headers={"If-Match": '"1"'}).status_code == 200
    )
    body = problem(
        client.post(url, json={"event": "canceled"}, headers={"If-Match": '"1"'}), 412, "conflict"
    )
    assert body["version"] == 2
    unchanged = client.get(f"{JOBS}/{job['id']}", headers={"If-None-Match": '"2"'})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_of_racing_workers_one_wins(live_server: LiveServer) -> None:
    client = live_server.client
    job = create(client)
    say(client, job, "queued")
    with ThreadPoolExecutor(8) as racers:
        answers = list(racers.map(lambda _: say(client, job, "started").status_code, range(8)))
    assert sorted(answers) == [200] + [409] * 7


def test_numbers_and_names_are_given_once(live_server: LiveServer) -> None:
    client = live_server.client
    job = create(client, number=60531, request_id="r-1", source_id="s-1")
    for field, value in (("number", 60531), ("request_id", "r-1"), ("source_id", "s-1")):
        body = problem(client.post(JOBS, json={"type": "A", field: value}), 409, "identity_taken")
        assert (body["field"], body["job"]) == (field, job["id"])
    assert {create(client)["number"] for _ in range(3)}.isdisjoint({60531})


def test_the_feed_leaves_nothing_out(live_server: LiveServer) -> None:
    client = live_server.client
    client.post(JOBS, json={"jobs": [{"type": "A"}] * 25})
    after, seen = 0, []
    while True:
        page = client.get("/v1/projects/demo/events", params={"after": after, "limit": 10}).json()
        seen += [event["position"] for event in page["events"]]
        after = page["last"]
        if page["next"] is None:
            break
    assert seen == list(range(1, 26))
    lines = client.get("/v1/projects/demo/events", headers={"Accept": "application/x-ndjson"})
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert len(lines.text.splitlines()) == 25


def test_counts_add_up(live_server: LiveServer) -> None:
    client = live_server.client
    jobs = client.post(
        JOBS, json={"jobs": [{"type": "A", "command": "x"}, {"type": "A"}, {"type": "B"}]}
    ).json()["jobs"]
    say(client, jobs[0], "queued")
    say(client, jobs[2], "canceled")
    body = client.get("/v1/projects/demo/counts").json()
    CountsOut.model_validate(body)
    assert body["total"] == 3
    assert {state: n for state, n in body["states"].items() if n} == {
        "Created": 1,
        "Queued": 1,
        "Canceled": 1,
    }


def test_a_read_can_insist_on_a_position(live_server: LiveServer) -> None:
    client = live_server.client
    answer = client.post(JOBS, json={"type": "A"}, headers={"Prefer": "respond-async"})
    assert answer.headers["preference-applied"] == "respond-async"
    position = answer.headers["ledger-position"]
    listed = client.get(JOBS, params={"min_position": position})
    assert len(listed.json()["jobs"]) == 1
    assert int(listed.headers["ledger-position"]) >= int(position)


def test_credentials_and_scopes(live_server: LiveServer) -> None:
    nobody = live_server.opened()
    refused = nobody.get(JOBS)
    problem(refused, 401, "unauthenticated")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    problem(nobody.get(JOBS, headers={"Authorization": "Bearer jl_x_y_z"}), 401, "unauthenticated")
    reader = live_server.client_of("demo", [Scope.JOBS_READ])
    problem(reader.post(JOBS, json={"type": "A"}), 403, "forbidden")
    canceler = live_server.client_of("demo", [Scope.JOBS_CANCEL])
    job = create(live_server.client)
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


def test_nobody_serves_this_path_or_method(live_server: LiveServer) -> None:
    problem(live_server.client.get("/v1/nothing"), 404, "no_such_path")
    refused = live_server.client.delete(JOBS)
    problem(refused, 405, "wrong_method")
    assert refused.headers["allow"] == "GET, HEAD, POST"
    head = live_server.client.head(JOBS)
    assert (head.status_code, head.content) == (200, b"")


def test_too_large_a_body_is_refused_unread(live_server: LiveServer) -> None:
    def endless() -> Any:
        for _ in range(200):
            yield b" " * 65_536

    problem(live_server.client.post(JOBS, content=endless()), 413, "too_large")


def test_the_ledger_tells_of_itself(live_server: LiveServer) -> None:
    client = live_server.opened()
    assert client.get("/livez").status_code == 200
    create(live_server.client)
    ready = client.get("/readyz")
    assert ready.status_code == 200, ready.text
    assert set(ready.json()["projections"]) == {"jobs", "job_states", "job_counts"}
    assert "jobledger_requests_total" in client.get("/metrics").text
    assert client.get("/version").json()["eventsourcing"]
    document = client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    page = client.get("/docs")
    assert "http://" not in page.text.replace(live_server.url, "")
    assert "createJobs" in page.text
