"""Time travel over HTTP: moments in the caller's words, refusals in the caller's dialect, pages that stay where they began.

Invariants: each test keeps to a project of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from api.operation import Scope
from api.operations import OPERATIONS
from api.past import PARAMETERS
from tests.fix_server import LiveServer


def lived(
    server: LiveServer, project: str, jobs: int = 3
) -> tuple[httpx.Client, list[dict[str, Any]]]:
    """Jobs that were created, then queued, then started, in that order of positions."""
    client = server.client_of(project, (Scope.JOBS_READ, Scope.JOBS_WRITE))
    url = f"/v1/projects/{project}/jobs"
    made = [client.post(url, json={"type": "T", "owner": f"o{n}"}).json() for n in range(jobs)]
    for event in ("queued", "started"):
        made += [
            client.post(f"{url}/{job['id']}/events", json={"event": event}).json()
            for job in made[:jobs]
        ]
    return client, made


def test_what_was_answered_then_is_answered_for_then(shared_server: LiveServer) -> None:
    client, made = lived(shared_server, "past-1")
    for job in made:
        answer = client.get(
            f"/v1/projects/past-1/jobs/{job['id']}", params={"as_of": job["position"]}
        )
        assert answer.json() == job
        assert answer.headers["ledger-as-of"] == str(job["position"])
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        # By the time of its record as well, which is a little later than that of the one before.
        at = job["history"][-1]["recorded_at"]
        assert (
            client.get(f"/v1/projects/past-1/jobs/{job['id']}", params={"as_of": at}).json() == job
        )
    last = made[0]["position"] - 1
    gone = client.get(f"/v1/projects/past-1/jobs/{made[0]['id']}", params={"as_of": last})
    assert gone.status_code == 404
    assert client.get("/v1/projects/past-1/jobs", params={"as_of": 0}).json() == {
        "jobs": [],
        "next": None,
    }


def test_pages_stay_where_they_began(shared_server: LiveServer) -> None:
    client, made = lived(shared_server, "past-2")
    then = made[4]["position"]
    first = client.get(
        "/v1/projects/past-2/jobs",
        params={"as_of": then, "limit": 1, "sort": "number", "count": "exact"},
    )
    states, total = [], set()
    while True:
        page = first.json()
        states += [job["state"] for job in page["jobs"]]
        total.add(page["total"])
        if page["next"] is None:
            break
        assert f"as_of={then}" in page["next"]
        first = client.get(page["next"])
    assert (states, total) == (["Queued", "Queued", "Created"], {3})
    # A cursor of one moment is none of another.
    page = client.get("/v1/projects/past-2/jobs", params={"limit": 1, "as_of": then}).json()
    other = page["next"].replace(f"as_of={then}", f"as_of={then + 1}")
    assert client.get(other).status_code == 422
    counts = client.get("/v1/projects/past-2/counts", params={"as_of": then}).json()
    assert {name: n for name, n in counts["states"].items() if n} == {"Queued": 2, "Created": 1}


def test_what_had_occurred(shared_server: LiveServer) -> None:
    """It was recorded late that the job had been queued long ago; by then it had not been started."""
    client = shared_server.client_of("past-3")
    url, born = "/v1/projects/past-3/jobs", datetime(2024, 1, 1, tzinfo=UTC)
    job = client.post(url, json={"type": "T", "occurred_at": born.isoformat()}).json()
    for nth, event in enumerate(("queued", "started"), 1):
        at = (born + timedelta(hours=nth)).isoformat()
        said = client.post(f"{url}/{job['id']}/events", json={"event": event, "occurred_at": at})
        assert said.status_code == 200
    for hours, state in ((0.5, "Created"), (1, "Queued"), (1.5, "Queued"), (2, "Processing")):
        then = (born + timedelta(hours=hours)).isoformat()
        words: dict[str, Any] = {"as_of": then, "as_of_kind": "occurred"}
        answer = client.get(f"{url}/{job['id']}", params=words)
        assert answer.json()["state"] == state
        assert answer.headers["cache-control"] == "no-cache"
        known = {**words, "as_of_position": job["position"]}
        answer = client.get(f"{url}/{job['id']}", params=known)
        assert answer.json()["state"] == "Created"
        assert "immutable" in answer.headers["cache-control"]
    before = (born - timedelta(microseconds=1)).isoformat()
    words = {"as_of": before, "as_of_kind": "occurred"}
    assert client.get(f"{url}/{job['id']}", params=words).status_code == 404


AHEAD = "2999-01-01T00:00:00+00:00"  # the same in every worker that collects the tests
BAD: tuple[dict[str, str], ...] = (
    {"as_of": str(2**60)},
    {"as_of": str(2**53 - 1)},
    {"as_of": AHEAD},
    {"as_of": "yesterday"},
    {"as_of": ""},
    {"as_of": "-1"},
    {"as_of": "1", "as_of_kind": "occurred"},
    {"as_of": "1", "as_of_kind": "sideways"},
    {"as_of": "1", "as_of_position": "1"},
    {"as_of": "2024-01-01", "as_of_kind": "occurred", "as_of_position": "x"},
    {"as_of": "2024-01-01", "as_of_kind": "occurred", "as_of_position": str(2**53 - 1)},
    {"as_of_kind": "occurred"},
)


@pytest.mark.parametrize("words", BAD, ids=str)
@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/v1/projects/past-4/jobs", {422}),
        ("/v1/projects/past-4/counts", {422}),
        ("/api/v2/jobs", {422}),
        ("/projects/past-4/jobs", {400}),
        ("/jobs", {422}),
    ],
)  # fmt: skip
def test_a_moment_that_is_none_is_refused(
    shared_server: LiveServer, path: str, statuses: set[int], words: dict[str, str]
) -> None:
    client = shared_server.client_of("past-4")
    answer = client.get(path, params=words)
    assert answer.status_code in statuses, answer.text
    assert "immutable" not in answer.headers.get("cache-control", "")


def test_a_time_of_any_age_is_a_moment(shared_server: LiveServer) -> None:
    client = shared_server.client_of("past-5")
    for path in ("/v1/projects/past-5/jobs", "/api/v2/jobs", "/projects/past-5/jobs", "/jobs"):
        for word in ("0001-01-02", "1969-12-31T23:59:59Z", "2001-01-01"):
            assert client.get(path, params={"as_of": word}).status_code == 200


def test_nothing_is_recorded_at_a_time_that_was_asked_about(live_server: LiveServer) -> None:
    """Seen red without ledger.settle: a clock that stepped back by an hour records into the past that was told."""
    import psycopg

    url = "/v1/projects/demo/jobs"
    then = datetime.now(UTC) - timedelta(milliseconds=1)
    params = {"as_of": then.isoformat(), "count": "exact"}
    before = live_server.client.get(url, params=params)
    assert before.json()["total"] == 0
    with psycopg.connect(live_server.dsn, autocommit=True) as owner:
        row = owner.execute(
            "SELECT pg_get_functiondef('ledger.append(jsonb)'::regprocedure)"
        ).fetchone()
        assert row is not None
        clock = "clock_timestamp()"
        assert clock in row[0]
        owner.execute(row[0].replace(clock, f"({clock} - interval '1 hour')"))
    made = live_server.client.post(url, json={"type": "T"})
    assert made.status_code == 201
    assert live_server.client.get(url, params=params).content == before.content


def test_what_may_be_asked_of_the_past_says_so() -> None:
    names = {one.name for one in PARAMETERS}
    past = set()
    for dialect, operation in OPERATIONS:
        described = {one.name for one in operation.parameters}
        form = getattr(operation.body, "model_fields", {})
        # An auditor asks by times of record alone.
        audit = operation.id.startswith("audit") and operation.past is not None
        asked = {"as_of"} if audit else names if operation.past is not None else set()
        assert (described | set(form)) & names == asked, operation.id
        past |= {dialect.name} if operation.past else set()
    assert past == {"native", "gogrid", "comestri", "orange", "geoop", "fullstory"}
