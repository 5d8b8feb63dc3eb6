"""Job 60531 of GoGrid's documents, imported into a real ledger and read back over HTTP in three formats; and states as filters.

Invariants: what the server says is what the dialect says of the folded job, which tests/api holds against the documents."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx2 as httpx
import pytest

from api.dialects.gogrid.options import JOB_STATES
from api.dialects.gogrid.signature import sign
from api.operation import Scope
from ledger.commands import Command, Write
from ledger.committer import Committed, Committer
from ledger.events import Created, Envelope, Event, Queued, Started, Succeeded
from tests.fix_gogrid import DETAIL, FORMATS, GET, JOB_ID, LIST, documented_job, moment, tell
from tests.fix_server import LiveServer

Read = Callable[..., httpx.Response]


@pytest.fixture
def read(live_server: LiveServer) -> Read:
    """A signed GET."""
    api_key, secret = live_server.make_key("demo", (Scope.JOBS_READ,), signing=True)

    def signed(path: str, **params: Any) -> httpx.Response:
        sig = sign(api_key, secret, int(time.time()))
        words = {"v": "1.9", "api_key": api_key, "sig": sig, **params}
        answer = httpx.get(f"{live_server.url}{path}", params=words, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer

    return signed


async def imported(dsn: str) -> Committed:
    """The four transitions of the document, as an import writes them: only the last one has a time."""
    created_at, ended_at = moment(1231007644632), moment(1231008346317)
    birth = Created(number=60531, type="VirtualServer", command="CreateVirtualServer", object="test 2",
                    owner="ankit@gogrid.com", detail=DETAIL, created_at=created_at)  # fmt: skip
    entries: tuple[tuple[str, Event, datetime | None], ...] = (
        ("10242", birth, None),
        ("10243", Queued(), None),
        ("10244", Started(), None),
        ("10251", Succeeded(), ended_at),
    )
    commands = tuple(
        Command(
            JOB_ID,
            event,
            Envelope("demo", "import", source_id=source_id, occurred_at=at, imported=True),
        )
        for source_id, event, at in entries
    )
    async with Committer(dsn) as committer:
        return await committer.commit(Write(commands))


def test_the_documented_job_comes_back_from_the_database(
    live_server: LiveServer, read: Read
) -> None:
    position = asyncio.run(imported(live_server.dsn)).position
    seen = live_server.client.get(f"/v1/projects/demo/jobs?min_position={position}")
    assert seen.status_code == 200, seen.text
    for form in FORMATS:
        answer = read(GET, id=60531, format=form)
        expected = tell(GET, (documented_job(),), f"id=60531&format={form}")
        assert answer.content == expected.body
        assert answer.headers["content-type"] == expected.media_type
        assert read(GET, job="test 2", format=form).content == expected.body
    # It is older than the four weeks that a list goes back by itself.
    assert read(LIST).json()["list"] == []
    assert read(LIST, startdate="01/03/2009", enddate="1231007644631").json()["list"] == []
    listed = read(LIST, startdate="1231007644632", enddate="1231007644632").json()
    assert listed["list"] == read(GET, id=60531).json()["list"]
    assert listed["summary"] == {"total": 1, "start": 0, "numpages": 1, "returned": 1}


def test_every_state_lists_the_jobs_that_are_shown_in_it(
    live_server: LiveServer, read: Read
) -> None:
    lives: tuple[tuple[dict[str, Any], ...], ...] = (
        (),
        ({"event": "queued"},),
        ({"event": "started"},),
        ({"event": "started"}, {"event": "succeeded"}),
        ({"event": "canceled"},),
        ({"event": "started"}, {"event": "failed", "final": False}),
        ({"event": "started"}, {"event": "failed"}),
        ({"event": "started"}, {"event": "failed", "kind": "item_errors"}),
        ({"event": "failed", "kind": "rejected"},),
        ({"event": "started"}, {"event": "failed", "final": False}, {"event": "failed"}),
        (
            {"event": "started"},
            {"event": "failed", "final": False},
            {"event": "started"},
            {"event": "failed"},
        ),
    )
    client = live_server.client
    for events in lives:
        job = client.post("/v1/projects/demo/jobs", json={"type": "VirtualServer"}).json()
        for event in events:
            answer = client.post(f"/v1/projects/demo/jobs/{job['id']}/events", json=event)
            assert answer.status_code == 200, answer.text
    shown = {one["id"]: one["currentstate"]["id"] for one in read(LIST).json()["list"]}
    assert len(shown) == len(lives)
    for state in JOB_STATES:
        expected = {number for number, id_ in shown.items() if id_ == state.id}
        assert expected
        for word in (state.id, state.name):
            listed = read(LIST, **{"job.state": word}).json()
            assert {one["id"] for one in listed["list"]} == expected, word
            assert listed["summary"]["total"] == len(expected)


def test_the_latest_of_an_object_comes_first(live_server: LiveServer, read: Read) -> None:
    """As clients ask for the latest job of a server: one, and they take the only one there is."""
    jobs = "/v1/projects/demo/jobs"
    made = [
        live_server.client.post(jobs, json={"type": "VirtualServer", "object": name}).json()
        for name in ("web", "web", "web", "other")
    ]
    [latest] = read(LIST, num_items=1, object="web").json()["list"]
    assert latest["id"] == made[2]["number"]
    again = read(LIST, num_items=1, page=1, object="web").json()
    assert again["list"][0]["id"] == made[1]["number"]
    assert again["summary"] == {"total": 3, "start": 1, "numpages": 3, "returned": 1}


def test_a_clock_may_be_ten_minutes_off_and_a_signature_is_good_for_as_long(
    live_server: LiveServer,
) -> None:
    """Twenty seconds are left at either end for the clock of this test itself."""
    api_key, secret = live_server.make_key("demo", (Scope.JOBS_READ,), signing=True)

    def status(sig: str, **words: str) -> int:
        params = {"v": "1.9", "api_key": api_key, "sig": sig, **words}
        return httpx.get(f"{live_server.url}{LIST}", params=params, timeout=30).status_code

    def signed(skew_s: int) -> str:
        return sign(api_key, secret, int(time.time()) + skew_s)

    for skew_s in (-580, -60, -1, 0, 1, 60, 580):
        sig = signed(skew_s)
        assert [status(sig), status(sig, page="1")] == [200, 200], skew_s
    for skew_s in (-86_400, -605, 620, 86_400):
        assert status(signed(skew_s)) == 403, skew_s
    for sig in ("", "0" * 32, signed(0).upper(), signed(0)[:-1], sign(api_key, "guess", int(time.time()))):  # fmt: skip
        assert status(sig) == 403, sig
    assert status(signed(0), api_key=api_key[::-1]) == 403
