"""What became of a batch's items, as of an earlier moment: not told before the batch was over, and from then on byte for byte what is told now.

Invariants: no answer rests on anything but the log up to the position and the batch's own rows, which are removed some days after its end and
erased with what they are of. Seen red: `as_of` forgotten, so that a batch's lists were told of a time at which it was under way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx2 as httpx
import psycopg
import pytest
from uuid_utils.compat import uuid7

from tests.fix_fullstory import BATCH, item, jobs, life, listed, over, refused, taken
from tests.fix_server import LiveServer

LISTS = ("imports", "errors")
ITEMS = [
    piece
    for nth in range(150)
    for piece in (*life(f"vm-{nth}", "queued"), item("succeeded", f"vm-{nth}"))
]  # three slices; each job's third item is an error


@pytest.fixture
def project() -> str:
    return f"fullstory-past-{uuid7()}"


@pytest.fixture
def client(shared_server: LiveServer, project: str) -> httpx.Client:
    return shared_server.client_of(project, name="writer")


def events(client: httpx.Client, project: str) -> list[dict[str, Any]]:
    """The events of the project's only batch."""
    [found] = jobs(client, project, type="BatchImport")
    path = f"/v1/projects/{project}/jobs/{found['id']}/events"
    told: list[dict[str, Any]] = client.get(path, params={"limit": 1_000}).json()["events"]
    return told


def pages(client: httpx.Client, batch: str, which: str, **then: Any) -> list[bytes]:
    """Every page of a list, as bytes."""
    found: list[bytes] = []
    words = dict(then)
    while True:
        answer = client.get(f"{BATCH}/{batch}/{which}", params=words)
        assert answer.status_code == 200, answer.text
        if then:
            assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
            assert int(answer.headers["ledger-as-of"]) > 0
        found.append(answer.content)
        if (token := answer.json().get("next_page_token")) is None:
            return found
        words["page_token"] = token


def waits(client: httpx.Client, batch: str, **then: Any) -> None:
    """In FullStory's own words for what is not over."""
    for which in LISTS:
        answer = client.get(f"{BATCH}/{batch}/{which}", params=then)
        assert refused(answer, 409, "still_processing").endswith("processed then.")
        assert int(answer.headers["retry-after"]) > 0


def test_a_batch_of_then_is_told_once_it_was_over(
    client: httpx.Client, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.batch.results.BATCH_PAGE_ITEMS_MAX", 70)
    batch = taken(client, ITEMS)
    done = over(client, batch)
    assert (done["imports"], done["errors"]) == (300, 150)
    now = {which: pages(client, batch, which) for which in LISTS}
    assert [len(now[which]) for which in LISTS] == [5, 3]
    own = events(client, project)
    assert [one["event"] for one in own].count("job.items_reported") == 4, "a slice at a time"
    for which in LISTS:
        early = client.get(f"{BATCH}/{batch}/{which}", params={"as_of": own[0]["position"] - 1})
        refused(early, 404, "resource_not_found")
    for one in own[:-1]:
        waits(client, batch, as_of=one["position"])
    end = own[-1]
    assert end["event"] == "job.failed"
    waits(client, batch, as_of=end["position"] - 1)
    before = datetime.fromisoformat(end["recorded_at"]) - timedelta(microseconds=1)
    waits(client, batch, as_of=before.isoformat())
    # More is recorded of the same jobs, by which nothing of then may change.
    assert over(client, taken(client, [item("started", f"vm-{n}") for n in range(9)]))
    last = client.get(f"/v1/projects/{project}/events", params={"after": end["position"]}).json()
    thens: list[dict[str, Any]] = [
        {"as_of": end["position"]},
        {"as_of": end["recorded_at"]},
        {"as_of": end["recorded_at"], "as_of_kind": "occurred"} | {"as_of_position": last["last"]},
        {"as_of": last["last"]},
    ]
    for then in thens:
        for which in LISTS:
            assert pages(client, batch, which, **then) == now[which], then
    for which in LISTS:
        answer = client.get(f"{BATCH}/{batch}/{which}", params={"as_of": 10**15})
        refused(answer, 400, "invalid")


def test_a_canceled_batch_of_then(client: httpx.Client, project: str) -> None:
    """What was not applied when it was called off is told as canceled, from the cancellation on and for ever."""
    batch = taken(client, life("a", *["noted"] * 4_000))
    [found] = jobs(client, project, type="BatchImport")
    path = f"/v1/projects/{project}/jobs/{found['id']}/events"
    said = client.post(path, json={"event": "canceled"})
    assert said.status_code == 200
    at = int(said.headers["ledger-position"])
    told = {which: pages(client, batch, which, as_of=at) for which in LISTS}
    waits(client, batch, as_of=at - 1)
    # The worker comes to it only now, and the next one goes on.
    assert over(client, taken(client, life("b")))["imports"] == 1
    for which in LISTS:
        assert pages(client, batch, which, as_of=at) == told[which] == pages(client, batch, which)
    assert sum(len(listed(client, batch, which)) for which in LISTS) == 4_001


def test_what_is_kept_no_longer_is_said_plainly(
    shared_server: LiveServer, client: httpx.Client, project: str
) -> None:
    batch = taken(client, life("a", "succeeded"))
    over(client, batch)
    end = events(client, project)[-1]["position"]
    assert pages(client, batch, "imports", as_of=end)
    [found] = jobs(client, project, type="BatchImport")
    with psycopg.connect(shared_server.dsn, autocommit=True) as connection:
        for table in ("batch_results", "batch_items", "batches"):
            connection.execute(
                f"DELETE FROM ledger.{table} WHERE job_id = %s".encode(), (found["id"],)
            )
    for which in LISTS:
        answer = client.get(f"{BATCH}/{batch}/{which}", params={"as_of": end})
        assert "kept no longer" in refused(answer, 404, "resource_not_found")
        waits(client, batch, as_of=end - 1)
