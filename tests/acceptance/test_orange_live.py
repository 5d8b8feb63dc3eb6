"""Orange over HTTP: jobs of every state found, sorted and paged, each answer held to the document's schema; and every refusal.

Invariants: the server is shared, so each test has a project of its own."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx2 as httpx
import psycopg
import pytest

from api.operation import Scope
from ledger.job import Phase
from projections import query
from tests.fix_orange import fault, items
from tests.fix_server import LiveServer

# What happens to a job -> the state that Orange shows.
LIVES: tuple[tuple[tuple[dict[str, Any], ...], str], ...] = (
    ((), "acknowledged"),
    (({"event": "queued"},), "acknowledged"),
    (({"event": "started"},), "in-progress"),
    (({"event": "started"}, {"event": "failed", "final": False}), "in-progress"),
    (({"event": "started"}, {"event": "succeeded"}), "completed"),
    (({"event": "started"}, {"event": "failed"}), "failed"),
    (({"event": "started"}, {"event": "failed", "kind": "item_errors"}), "failed"),
    (({"event": "failed", "kind": "rejected"},), "failed"),
    (({"event": "canceled"},), "failed"),
)


def live(client: httpx.Client, project: str) -> dict[str, str]:
    """Jobs of every state: their ids and what Orange shows them in."""
    jobs = f"/v1/projects/{project}/jobs"
    made = {}
    for nth, (events, state) in enumerate(LIVES):
        job = client.post(
            jobs, json={"type": "VM", "object": f"vm {nth % 2}", "owner": f"o{nth % 3}"}
        )
        assert job.status_code == 201, job.text
        made[job.json()["id"]] = state
        for event in events:
            said = client.post(f"{jobs}/{job.json()['id']}/events", json=event)
            assert said.status_code == 200, said.text
    return made


def found(client: httpx.Client, path: str, words: str = "") -> tuple[list[dict[str, Any]], int]:
    """A list and the total beside it."""
    answer = client.get(f"{path}?{words}")
    assert answer.status_code == 200, answer.text
    shown = items(answer.content)
    assert answer.headers["x-result-count"] == str(len(shown))
    return shown, int(answer.headers["x-total-count"])


def refused(answer: httpx.Response, status: int, code: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    told = fault(answer.content)
    assert told["code"] == code
    return told


def test_jobs_are_found_by_state_in_any_order_and_window(shared_server: LiveServer) -> None:
    client = shared_server.client_of("orange")
    path = "/projects/orange/jobs"
    assert found(client, path) == ([], 0)
    made = live(client, "orange")
    shown, total = found(client, path)
    assert total == len(made)
    assert {one["id"]: one["state"] for one in shown} == made
    assert [one["id"] for one in shown] == list(made)[::-1]
    for state in Phase:
        mine, total = found(client, path, f"state={state}")
        assert {one["id"] for one in mine} == {id_ for id_, one in made.items() if one == state}
        assert {one["state"] for one in mine} == {state.value}
        assert total == len(mine)
    both, _ = found(client, path, "state=completed,failed&state=acknowledged")
    assert {one["state"] for one in both} == {"completed", "failed", "acknowledged"}
    for sort, key in (
        ("createdDate", lambda one: list(made).index(one["id"])),
        ("state,createdDate", lambda one: (one["state"], list(made).index(one["id"]))),
        ("id", lambda one: one["id"]),
        ("requesterId,id", lambda one: (one["requesterId"], one["id"])),
    ):
        shown, _ = found(client, path, f"sort={sort}")
        assert [one["id"] for one in shown] == [one["id"] for one in sorted(shown, key=key)]
        windows = [found(client, path, f"sort={sort}&limit=2&offset={n}") for n in range(0, 12, 2)]
        assert [one for window, _ in windows for one in window] == shown
        assert {total for _, total in windows} == {len(made)}
    descending, _ = found(client, path, "sort=-state")
    assert [one["state"] for one in descending] == sorted(made.values(), reverse=True)
    mine, total = found(client, path, "resource=vm%201&state=failed")
    assert total == len(mine) == 2


def test_a_job_is_what_its_reference_shows(shared_server: LiveServer) -> None:
    client = shared_server.client_of("orange-one", name="ops")
    live(client, "orange-one")
    shown, _ = found(client, "/projects/orange-one/jobs")
    for one in shown:
        answer = client.get(one["hRef"])
        assert answer.json() == one
    assert shown[0]["messages"] == [{"code": 0, "message": "canceled by ops"}]


def test_credentials_and_rights(shared_server: LiveServer) -> None:
    path = "/projects/orange-who/jobs"
    issued = shared_server.issue("orange-who", [Scope.JOBS_READ])
    for headers in (
        {"X-API-Key": issued.key, "X-Requester-Id": "ann"},
        {"Authorization": f"Bearer {issued.key}"},
    ):
        assert found(shared_server.opened(headers), path) == ([], 0)
    missing = shared_server.opened({"X-Requester-Id": "ann"}).get(path)
    refused(missing, 401, 40)
    assert missing.headers["www-authenticate"] == 'Bearer realm="job ledger"'
    refused(shared_server.opened({"X-API-Key": f"{issued.key}x"}).get(path), 401, 41)
    writer = shared_server.client_of("orange-who", [Scope.JOBS_CANCEL])
    refused(writer.get(path), 403, 50)
    expired, revoked = (shared_server.issue("orange-who", [Scope.JOBS_READ]) for _ in range(2))
    with psycopg.connect(shared_server.dsn, autocommit=True) as connection:
        for column, one in (("expires_at", expired), ("revoked_at", revoked)):
            text = f"UPDATE access.keys SET {column} = now() - interval '1 day' WHERE key_id = %s"
            connection.execute(text.encode(), [one.stored.key_id])
    refused(shared_server.opened({"X-API-Key": expired.key}).get(path), 401, 42)
    refused(shared_server.opened({"X-API-Key": revoked.key}).get(path), 401, 41)


def test_nothing_of_another_tenant_is_told(shared_server: LiveServer) -> None:
    mine, other = (shared_server.client_of(f"orange-{name}") for name in ("mine", "other"))
    job_id = next(iter(live(mine, "orange-mine")))
    unknown = refused(other.get(f"/projects/orange-other/jobs/{uuid4()}"), 404, 60)
    for path in (
        "/projects/orange-mine/jobs",
        f"/projects/orange-mine/jobs/{job_id}",
        f"/projects/orange-other/jobs/{job_id}",
        "/projects/nobody/jobs",
    ):
        assert refused(other.get(path), 404, 60) == unknown
    assert found(other, "/projects/orange-other/jobs") == ([], 0)


def test_other_paths_verbs_and_crashes(
    shared_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = shared_server.client_of("orange-odd")
    path = "/projects/orange-odd/jobs"
    for strange in (
        "/projects/",
        "/projects/orange-odd",
        "/projects/orange-odd/vms",
        f"{path}/",
        f"{path}/7",
    ):
        refused(client.get(strange), 404, 60)
    for verb in ("POST", "PUT", "DELETE", "PATCH"):
        answer = client.request(verb, path)
        refused(answer, 405, 61)
        assert answer.headers["allow"] == "GET, HEAD"
    for words in (
        "state=Failed",
        "limit=0",
        "limit=",
        "offset=-1",
        "sort=createdDate,-state",
        "sort=x",
        "resource=",
    ):
        assert (
            words.partition("=")[0]
            in refused(client.get(f"{path}?{words}"), 400, 28)["description"]
        )
    refused(client.get(f"{path}?sort=%ff"), 400, 28)
    refused(client.get(f"{path}?x={'x' * 17_000}"), 400, 66)

    def crash(*_: object) -> None:
        raise RuntimeError("seeded")

    monkeypatch.setattr(query, "find", crash)
    answer = client.get(path)
    assert answer.headers["x-request-id"] in refused(answer, 500, 1)["description"]
    assert "seeded" not in answer.text
