"""The native API over a real server: what each operation answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from api.dialects.native.models import CountsOut, EventsOut, JobOut
from tests.fix_server import LiveServer
from tests.native import JOBS, create, problem, say


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
    ended: dict[str, Any] = {}
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


def test_addresses_of_a_project_with_any_name(live_server: LiveServer) -> None:
    """What stands in Location, Link and `next` is an address, whatever the project is called. Seen red with `?` where letters were."""
    project = "zoë <a>; ☃ 100%?#"
    client = live_server.client_of(project, name="zoe")
    jobs = f"/v1/projects/{quote(project, safe='')}/jobs"
    assert client.post(jobs, json={"type": "VirtualServer"}).status_code == 201
    created = client.post(jobs, json={"type": "VirtualServer"})
    assert client.get(created.headers["location"]).json() == created.json()
    page = client.get(jobs, params={"limit": 1})
    following = page.json()["next"]
    assert page.headers["link"] == f'<{following}>; rel="next"'
    assert following.isascii()
    assert len(client.get(following).json()["jobs"]) == 1
    events = client.get(f"/v1/projects/{quote(project, safe='')}/events", params={"limit": 1})
    assert len(client.get(events.json()["next"]).json()["events"]) == 1
