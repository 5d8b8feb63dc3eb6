"""An auditor's questions over HTTP and on the command line: scopes, pages, and refused commands that are kept.

Seen red: refusals lost (the note left out), and kept without a bound (`nth <= most` left out)."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import httpx2 as httpx
import psycopg
import pytest

from api.dialects.native.audit import KINDS
from api.operation import Scope
from ledger import settings
from tests.fix_command import Command
from tests.fix_log import eventually
from tests.fix_server import LiveServer

READ_WRITE = (Scope.JOBS_READ, Scope.JOBS_WRITE)
AUDITOR = (Scope.AUDIT_READ,)


def rows(client: httpx.Client, project: str, kind: str, **words: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/projects/{project}/audit/{kind}", params=words)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["events" if kind == "actions" else "rows"]
    return found


def test_who_canceled_what(shared_server: LiveServer) -> None:
    url = "/v1/projects/audit-1/jobs"
    ann = shared_server.client_of("audit-1", READ_WRITE, name="ann")
    bob = shared_server.client_of("audit-1", READ_WRITE, name="bob")
    auditor = shared_server.client_of("audit-1", AUDITOR)
    jobs = [ann.post(url, json={"type": "T"}).json()["id"] for _ in range(3)]
    for who, job in ((ann, jobs[0]), (bob, jobs[1])):
        said = who.post(f"{url}/{job}/events", json={"event": "canceled", "note": "no need"})
        assert said.status_code == 200
    found = rows(auditor, "audit-1", "actions", event="job.canceled")
    assert [(one["actor"], one["job"], one["note"]) for one in found] == [
        ("ann", jobs[0], "no need"),
        ("bob", jobs[1], "no need"),
    ]
    assert len(rows(auditor, "audit-1", "actions", actor="ann")) == 4
    key = found[1]["credential_id"]
    assert rows(auditor, "audit-1", "actions", credential_id=key) == found[1:]
    earlier = found[1]["position"] - 1
    assert rows(auditor, "audit-1", "actions", event="job.canceled", as_of=earlier) == found[:1]
    page = auditor.get("/v1/projects/audit-1/audit/actions", params={"limit": 3}).json()
    assert len(page["events"]) == 3
    assert [one["position"] for one in auditor.get(page["next"]).json()["events"]] == [
        one["position"] for one in found
    ]
    assert [
        one["job"] for one in rows(auditor, "audit-1", "stuck", state="Created", longer_than=0)
    ] == jobs[2:]
    assert rows(auditor, "audit-1", "stuck", state="Created") == []
    assert {one["job"] for one in rows(auditor, "audit-1", "stays", state="Created")} == set(jobs)
    [created] = rows(auditor, "audit-1", "durations", state="Created")
    assert (created["stays"], created["ended"]) == (3, 2)


@pytest.mark.parametrize("kind", [kind for kind, *_ in KINDS])
def test_an_auditor_s_scope_is_needed(shared_server: LiveServer, kind: str) -> None:
    path = f"/v1/projects/audit-2/audit/{kind}"
    words = {"state": "Created"} if "state" in next(w for k, _, w in KINDS if k == kind) else {}
    assert shared_server.client_of("audit-2", READ_WRITE).get(path, params=words).status_code == 403
    assert shared_server.client_of("audit-2", AUDITOR).get(path, params=words).status_code == 200
    assert shared_server.client_of("audit-3", AUDITOR).get(path, params=words).status_code == 404
    auditor = shared_server.client_of("audit-2", AUDITOR)
    for bad in (
        {"actor": ""},
        {"state": "sad"},
        {"from": "x"},
        {"limit": "0"},
        {"after": "-1"},
        {"event": "x"},
        {"no": "1"},
    ):
        assert auditor.get(path, params={**words, **bad}).status_code == 422


def test_refused_commands_are_kept(live_server: LiveServer) -> None:
    url = "/v1/projects/demo/jobs"
    client, auditor = live_server.client, live_server.client_of("demo", AUDITOR)
    reader = live_server.client_of("demo", (Scope.JOBS_READ,), name="reader")
    job = client.post(url, json={"type": "T", "number": 5}).json()["id"]
    head = client.get(f"{url}/{job}").headers["ledger-position"]
    assert client.post(f"{url}/{job}/events", json={"event": "succeeded"}).status_code == 409
    assert client.post(url, json={"type": "T", "number": 5}).status_code == 409
    assert client.post(url, json={"jobs": [{"type": "T"}, {"type": ""}]}).status_code == 422
    assert reader.post(url, json={"type": "T"}).status_code == 403
    assert reader.get(f"{url}/{job}").status_code == 200
    assert client.get(f"{url}?nonsense=1").status_code == 422  # a question is no command
    wanted = ["illegal_transition", "identity_taken", "batch_refused", "forbidden"]
    eventually(lambda: len(rows(auditor, "demo", "refusals")) >= len(wanted), "refusals are kept")
    found = rows(auditor, "demo", "refusals")
    assert [one["code"] for one in found] == wanted
    assert [one["actor"] for one in found] == ["demo-client"] * 3 + ["reader"]
    assert found[0]["job"] == job
    assert "Created" in found[0]["reason"]
    assert "1: invalid" in found[2]["reason"]
    hours = Counter(one["at"][:13] for one in found)  # the hour may have turned
    assert all(one["refused_in_hour"] == hours[one["at"][:13]] for one in found)
    assert all(one["request_id"] for one in found)
    assert rows(auditor, "demo", "refusals", actor="reader") == found[3:]
    assert rows(auditor, "demo", "refusals", code="identity_taken") == found[1:2]
    # They are no events: positions stay dense and nothing was added.
    assert client.get("/v1/projects/demo/events").json()["last"] == int(head)


def test_refusals_are_bounded(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REFUSALS_KEPT_PER_HOUR", 3)
    auditor = live_server.client_of("demo", AUDITOR)
    job = live_server.client.post("/v1/projects/demo/jobs", json={"type": "T"}).json()["id"]
    for _ in range(8):
        path = f"/v1/projects/demo/jobs/{job}/events"
        assert live_server.client.post(path, json={"event": "succeeded"}).status_code == 409

    def counted() -> int:
        with psycopg.connect(live_server.dsn) as owner:
            row = owner.execute("SELECT sum(refused) FROM ledger.refused_hours").fetchone()
        return int(row[0] or 0) if row else 0

    eventually(lambda: counted() == 8, "all are counted")
    assert 3 <= len(rows(auditor, "demo", "refusals")) <= 6  # the hour may have turned


def test_nobody_changes_a_refusal(live_server: LiveServer) -> None:
    with psycopg.connect(live_server.dsn, autocommit=True) as owner:
        for change in ("DELETE FROM ledger.refusals", "UPDATE ledger.refusals SET reason = ''"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute(change.encode())


def test_the_command(command: Command) -> None:
    serving = command.serve()
    made = command.answer(
        "keys", "create", "--project", "p", "--scope", "jobs:write", "--name", "ann"
    )
    job = serving.create_job(made["key"])
    found = command.answer("audit", "actions", "--project", "p", "actor=ann", "as_of=1")
    assert [one["job"] for one in found["events"]] == [job["id"]]
    told = command("audit", "stuck", "--project", "p", "state=Created", "longer_than=0")
    assert job["id"] in told.stdout
    assert command("audit", "durations", "--project", "p").stdout.startswith("type\tstate\t")
    assert command("audit", "refusals", "--project", "p").returncode == 0
    assert command("audit", "stays", "--project", "p").returncode == 1
    assert command("audit", "nonsense", "--project", "p").returncode == 2
    assert serving.end() == 0


def test_the_feed_in_three_forms(shared_server: LiveServer) -> None:
    """Page by page from any position, each event once, whatever the form; CloudEvents have what their specification requires."""
    client = shared_server.client_of("feed-1", READ_WRITE)
    made = {"type": "T", "occurred_at": "2024-05-30T05:13:26Z"}
    url = "/v1/projects/feed-1"
    jobs = [client.post(f"{url}/jobs", json=made).json() for _ in range(5)]
    plain = client.get(f"{url}/events").json()["events"]
    for accept in ("application/x-ndjson", "application/cloudevents-batch+json"):
        following: str | None = f"{url}/events?limit=2"
        found: list[dict[str, Any]] = []
        while following:
            answer = client.get(following, headers={"Accept": accept})
            assert answer.headers["content-type"] == accept
            lines = answer.text.splitlines()
            found += answer.json() if "cloud" in accept else [json.loads(line) for line in lines]
            following = answer.links.get("next", {}).get("url")
        if "cloud" not in accept:
            assert found == plain
            continue
        assert [one["subject"] for one in found] == [job["id"] for job in jobs]
        assert [one["id"] for one in found] == [one["id"] for one in plain]
        assert len({(one["source"], one["id"]) for one in found}) == len(found)
        for one in found:
            assert (one["specversion"], one["type"]) == ("1.0", "job.created")
            assert one["data"]["type"] == "T"
            assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in one)
            assert one["time"].endswith("Z")
