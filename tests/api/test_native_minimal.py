"""Writes whose client prefers `return=minimal`: the same effects and refusals, told in no more than the client cannot know.

Seen red with: a batch told whole, a 200 where 204 should be, a key that holds the preference, Preference-Applied that names one of two, a
Content-Type over nothing, and a job rendered although nobody sees it."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest

from api.dialects import DIALECTS
from api.dialects.native import row, tell
from api.dialects.native.models import MinimalSavedOut
from api.operation import Asked
from ledger.committer import Committed
from tests.conformance import document
from tests.fix_server import LiveServer
from tests.histories import job_after
from tests.native import JOBS, create, problem, say

NATIVE = next(one for one in DIALECTS if one.name == "native")
OPERATIONS = {one.id: one for one in NATIVE.operations}
EVENTS = "/v1/projects/demo/events"
MINIMAL = {"Prefer": "return=minimal"}


def post(client: httpx.Client, path: str, body: Any, prefer: str = "return=minimal", **more: str) -> httpx.Response:  # fmt: skip
    """What is said of a write; it is in the document, and says which preferences it followed."""
    operation = "createJobs" if path == JOBS else "addEvents" if path == EVENTS else "addJobEvents"
    answer = client.post(path, json=body, headers={"Prefer": prefer, **more})
    document.check(NATIVE, OPERATIONS[operation], answer)
    if answer.is_success:
        told = {name.lower() for name in answer.headers} - {"date", "server", "x-request-id"}
        told -= {"content-length", "content-type"}
        replies = {one.status: one for one in OPERATIONS[operation].replies}
        assert told <= {name.lower() for name in replies[answer.status_code].headers}
        assert answer.headers["preference-applied"] == prefer
    return answer


def test_one_job_lives_without_being_told(live_server: LiveServer) -> None:
    client = live_server.client
    born = post(client, JOBS, {"type": "A"})
    assert (born.status_code, born.content) == (201, b"")
    assert born.headers["content-length"] == "0"
    assert (born.headers["etag"], born.headers["ledger-position"]) == ('"1"', "1")
    url = born.headers["location"].removeprefix(live_server.url)
    for version, event in enumerate(("queued", "started", "canceled"), start=2):
        said = post(client, f"{url}/events", {"event": event}, **{"If-Match": f'"{version - 1}"'})
        assert (said.status_code, said.content) == (204, b"")
        assert "content-length" not in said.headers
        assert said.headers["etag"] == f'"{version}"'
        assert said.headers["ledger-position"] == str(version)
    job = client.get(url)
    assert (job.json()["state"], job.headers["etag"]) == ("Canceled", '"4"')
    several = post(client, f"{url}/events", {"events": [{"event": "noted", "note": "x"}] * 2})
    assert (several.status_code, several.headers["etag"]) == (204, '"6"')
    # Waited for, since nobody preferred otherwise.
    assert client.get(JOBS).json()["jobs"][0]["version"] == 6


def test_of_many_each_is_named_with_its_number_and_version(live_server: LiveServer) -> None:
    client = live_server.client
    born = post(client, JOBS, {"jobs": [{"type": "A"}, {"type": "B", "number": 7_000}]})
    assert born.status_code == 201
    MinimalSavedOut.model_validate_json(born.text)
    first, second = born.json()["jobs"]
    assert second == {"id": second["id"], "number": 7_000, "version": 1}
    events = [
        {"job": second["id"], "event": "queued"},
        {"job": second["id"], "event": "started"},
        {"job": first["id"], "event": "canceled"},
    ]
    said = post(client, EVENTS, {"events": events})
    assert said.status_code == 200
    assert said.json() == {"jobs": [{**second, "version": 3}, {**first, "version": 2}]}
    assert said.headers["ledger-position"] == "5"
    for told in said.json()["jobs"]:
        job = client.get(f"{JOBS}/{told['id']}").json()
        assert told == {name: job[name] for name in ("id", "number", "version")}


def test_what_was_preferred_is_said(live_server: LiveServer) -> None:
    client = live_server.client
    both = post(client, JOBS, {"type": "A"}, "respond-async, return=minimal")
    assert (both.status_code, both.content) == (201, b"")
    whole = post(client, JOBS, {"type": "A"}, "return=representation")
    assert whole.json()["version"] == 1
    path = whole.headers["location"].removeprefix(live_server.url)
    job = post(client, f"{path}/events", {"event": "queued"}, "return=representation")
    assert (job.status_code, job.json()["state"]) == (200, "Queued")
    lines = [("Prefer", 'Return="minimal"; x'), ("Prefer", "wait=1, respond-async")]
    answer = client.post(f"{path}/events", json={"event": "started"}, headers=lines)
    assert answer.status_code == 204
    assert answer.headers["preference-applied"] == "respond-async, return=minimal"
    plain = client.post(f"{path}/events", json={"event": "succeeded"}, headers={"Prefer": "x"})
    assert plain.json()["state"] == "Succeeded"
    assert "preference-applied" not in plain.headers


def test_a_repeat_is_told_in_the_form_that_it_prefers(live_server: LiveServer) -> None:
    client = live_server.client
    key = {"Idempotency-Key": "order-17"}
    first = post(client, JOBS, {"type": "A"}, **key)
    whole = client.post(JOBS, json={"type": "A"}, headers=key)
    again = post(client, JOBS, {"type": "A"}, **key)
    assert (first.status_code, whole.status_code, again.status_code) == (201, 201, 201)
    assert "idempotency-replayed" not in first.headers
    assert whole.headers["idempotency-replayed"] == again.headers["idempotency-replayed"] == "true"
    told = ("location", "etag", "ledger-position")
    assert len({tuple(answer.headers[name] for name in told) for answer in (first, whole, again)}) == 1  # fmt: skip
    assert first.headers["location"].endswith(whole.json()["id"])
    assert (whole.json()["state"], again.content) == ("Created", b"")
    events = f"{JOBS}/{whole.json()['id']}/events"
    key = {"Idempotency-Key": "order-18"}
    job = client.post(events, json={"event": "queued"}, headers=key).json()
    say(client, job, "started")
    minimal = post(client, events, {"event": "queued"}, **key)
    assert (minimal.status_code, minimal.headers["etag"]) == (204, '"2"')
    assert client.post(events, json={"event": "queued"}, headers=key).json() == job


def test_a_refusal_is_worded_as_ever(live_server: LiveServer) -> None:
    client = live_server.client
    job = create(client)
    events = f"{JOBS}/{job['id']}/events"
    moved_on = post(client, events, {"event": "queued"}, **{"If-Match": '"7"'})
    assert problem(moved_on, 412, "conflict")["version"] == 1
    problem(post(client, events, {"event": "succeeded"}), 409, "illegal_transition")
    problem(post(client, events, {"event": "?"}), 422, "invalid")
    problem(post(client, JOBS, {"jobs": [{"type": "A"}, {"type": ""}]}), 422, "batch_refused")
    many = [{"job": job["id"], "event": event} for event in ("queued", "succeeded")]
    problem(post(client, EVENTS, {"events": many}), 422, "batch_refused")
    assert client.get(events).json()["last"] == 1


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (tell.created, b"{}"),
        (tell.created, b'{"jobs":[{}]}'),
        (tell.happened, b""),
        (tell.happened_to_many, b""),
    ],
)
def test_no_job_is_rendered_for_it(words: Any, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    def rendered(_: object) -> str:
        raise AssertionError("A job was rendered.")

    monkeypatch.setattr(row, "folded", rendered)
    monkeypatch.setattr(row, "job", rendered)
    asked = Asked("POST", "/", headers={"prefer": "return=minimal"}, body=body)
    committed = Committed((job_after(),), 9)
    assert words(asked, committed).status in (200, 201, 204)
    with pytest.raises(AssertionError, match="rendered"):
        words(Asked("POST", "/", body=body), committed)
