"""OpenLineage events over TCP, as its client would not send them: any order, large, many at once, and bad.

Invariants: each test has a project of its own on the shared server."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest
from uuid_utils.compat import uuid7

from api.dialects.openlineage.models import IgnoredOut
from api.operation import Scope
from tests.fix_openlineage import (
    BATCH,
    PATH,
    PRODUCER,
    Json,
    job,
    jobs,
    log,
    post,
    refused,
    said,
    sent,
    states,
    taken,
    topics,
)
from tests.fix_server import LiveServer


@pytest.fixture
def project() -> str:
    return f"lineage-{uuid7()}"


@pytest.fixture
def client(shared_server: LiveServer, project: str) -> httpx.Client:
    """A client of a new project that may read and write."""
    return shared_server.client_of(project)


# What was heard of a run, in order of arrival -> the states that its job entered.
ARRIVALS: tuple[tuple[str, list[str]], ...] = (
    ("START", ["Created", "Processing"]),
    ("START RUNNING COMPLETE", ["Created", "Processing", "Succeeded"]),
    ("RUNNING", ["Created", "Processing"]),
    ("OTHER", ["Created"]),
    ("OTHER START OTHER COMPLETE OTHER", ["Created", "Processing", "Succeeded"]),
    ("OTHER COMPLETE", ["Created", "Processing", "Succeeded"]),
    ("COMPLETE START RUNNING", ["Created", "Processing", "Succeeded"]),
    ("FAIL", ["Created", "Processing", "Failed"]),
    ("START FAIL COMPLETE ABORT", ["Created", "Processing", "Failed"]),
    ("ABORT", ["Created", "Canceled"]),
    ("START ABORT FAIL", ["Created", "Processing", "Canceled"]),
    ("START START COMPLETE COMPLETE", ["Created", "Processing", "Succeeded"]),
)


@pytest.mark.parametrize(("arrivals", "expected"), ARRIVALS, ids=[row[0] for row in ARRIVALS])
def test_each_order_of_arrival_ends_well(
    client: httpx.Client, project: str, arrivals: str, expected: list[str]
) -> None:
    run = str(uuid7())
    kinds = arrivals.split()
    events = [said(kind, run, minute) for minute, kind in enumerate(kinds)]
    for one in events:
        taken(post(client, one))
    before = job(client, project, run)
    assert states(before) == expected
    recorded = log(client, project, before)
    assert {one["occurred_at"] for one in recorded} == {
        f"2024-05-30T05:{n:02}:00Z" for n in range(len(kinds))
    }
    for one in events[::-1]:
        assert taken(post(client, one))["job"]["id"] == before["id"]
    assert job(client, project, run) == before
    assert log(client, project, before) == recorded


def test_a_duplicate_is_known_however_it_is_written(client: httpx.Client, project: str) -> None:
    run = str(uuid7())
    one = said("START", run)
    first = taken(post(client, one))
    assert first["runId"] == run
    assert taken(post(client, dict(reversed(one.items())))) == first
    assert taken(client.post(PATH, content=json.dumps(one, indent=4))) == first
    assert len(log(client, project, job(client, project, run))) == 2
    taken(post(client, {**one, "run": {"runId": run.upper()}}))
    assert len(jobs(client, project)) == 1


def test_facets_are_kept_whole_however_large(client: httpx.Client, project: str) -> None:
    run = str(uuid7())
    deep: Any = "end"
    for _ in range(40):
        deep = {"a": deep}
    facets = {"plan": {"text": "é" * 50_000, "nul": "a\x00b"}, "deep": deep}
    one = said("START", run, run={"runId": run, "facets": facets})
    taken(post(client, one))
    found = job(client, project, run)
    assert found["detail"] is None
    notes = [
        event["note"] for event in log(client, project, found) if event["event"] == "job.noted"
    ]
    assert len(notes) == 4
    assert [note.split(" ")[0] for note in notes] == ["1/4", "2/4", "3/4", "4/4"]
    assert json.loads("".join(note.partition(" ")[2] for note in notes)) == one


def test_runs_of_many_at_once_do_not_get_in_each_other_s_way(
    client: httpx.Client, project: str
) -> None:
    run = str(uuid7())
    events = [
        said(kind, run, minute)
        for minute, kind in enumerate(("START", "RUNNING", "COMPLETE", "OTHER") * 3)
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: post(client, one), [*events, *events]))
    # Of two that are the same and under way at once, one may be asked to come again.
    assert {answer.status_code for answer in answers} <= {201, 503}
    for one in events:
        taken(post(client, one))
    found = job(client, project, run)
    assert found["state"] == "Succeeded"
    recorded = log(client, project, found)
    assert len({one["occurred_at"] for one in recorded}) == len(events)
    assert topics(recorded).count("succeeded") == topics(recorded).count("started") == 1


def test_events_of_no_run_are_taken_and_not_kept(client: httpx.Client, project: str) -> None:
    job_event = {
        "eventTime": "2024-05-30T05:00:00Z",
        "job": {"namespace": "n", "name": "j"},
        "producer": PRODUCER,
    }
    dataset_event = {
        "eventTime": "2024-05-30T05:00:00Z",
        "dataset": {"namespace": "n", "name": "d"},
    }
    for one, word in ((job_event, "job"), (dataset_event, "dataset")):
        answer = post(client, one)
        assert answer.status_code == 200
        assert word in IgnoredOut.model_validate_json(answer.content).reason
    assert sent(client, job_event, dataset_event)["summary"] == {
        "received": 2,
        "successful": 2,
        "failed": 0,
    }
    assert jobs(client, project) == []


def test_a_batch_tells_which_events_failed(client: httpx.Client, project: str) -> None:
    one, other = str(uuid7()), str(uuid7())
    body = sent(client, said("START", one), said("COMPLETE", one, 1), said("START", other))
    assert body == {
        "status": "success",
        "summary": {"received": 3, "successful": 3, "failed": 0},
        "failed_events": [],
    }
    body = sent(
        client,
        said("SLEEP", one, 2),
        said("FAIL", other, 1),
        7,  # type: ignore[arg-type]
        {**said("START", one), "eventTime": "9998-01-01T00:00:00Z"},
        {"dataset": {}},
        {"eventTime": "2024-05-30T05:00:00Z"},
    )
    assert body["status"] == "partial_success"
    assert body["summary"] == {"received": 6, "successful": 2, "failed": 4}
    assert [(one["index"], one["retriable"]) for one in body["failed_events"]] == [
        (0, False),
        (2, False),
        (3, False),
        (5, False),
    ]
    assert job(client, project, other)["state"] == "Failed"
    assert job(client, project, one)["state"] == "Succeeded"
    assert sent(client)["summary"]["received"] == 0


def test_a_large_batch_of_many_runs(client: httpx.Client, project: str) -> None:
    runs = [str(uuid7()) for _ in range(60)]
    events = [
        said(kind, run, n)
        for n, kind in enumerate(("START", "RUNNING", "COMPLETE"))
        for run in runs
    ]
    for _ in range(2):
        assert sent(client, *events)["summary"] == {"received": 180, "successful": 180, "failed": 0}
    found = jobs(client, project, limit="1000")
    assert {one["source_id"] for one in found} == set(runs)
    assert {one["version"] for one in found} == {4}
    refused(post(client, [said("START", runs[0])] * 1_001, BATCH), 413, "too_large")


def test_bad_events_are_refused_with_what_is_wrong(client: httpx.Client, project: str) -> None:
    run = str(uuid7())
    good = said("START", run)
    changes: tuple[Json, ...] = (
        {"eventType": "SLEEP"},
        {"eventTime": "2024-05-30T05:00:00"},
        {"eventTime": 7},
        {"run": {"runId": "x"}},
        {"run": {}},
        {"run": 7},
        {"job": {"namespace": "n"}},
        {"job": {"namespace": "n", "name": "a\x00b"}},
        {"job": {"namespace": "", "name": "j"}},
        {"inputs": [7]},
        {"run": {"runId": run, "facets": []}},
    )
    for change in changes:
        [field] = change
        assert field in refused(post(client, {**good, **change}), 422, "invalid")["message"], change
    for name in ("eventTime", "run", "job"):
        lacking = {
            key: word
            for key, word in good.items()
            if key not in {name, *(["job"] if name == "run" else [])}
        }
        refused(post(client, lacking), 422, "invalid")
    for body in (
        b"",
        b"{",
        b"7",
        b"[]",
        b"\xff",
        b'{"run": NaN}',
        b'{"run":"\\ud800"}',
        b"[" * 5_000,
    ):
        refused(client.post(PATH, content=body), 400, "bad_syntax")
    refused(post(client, good, BATCH), 400, "bad_syntax")
    huge = {**good, "run": {"runId": run, "facets": {"a": {"b": "x" * 2**20}}}}
    refused(post(client, huge), 413, "too_large")
    assert jobs(client, project) == []


def test_gzip_is_unpacked_within_bounds(client: httpx.Client, project: str) -> None:
    packed = gzip.compress(json.dumps(said("START", str(uuid7()))).encode())
    for word in ("gzip", "x-gzip", "GZIP"):
        assert (
            client.post(PATH, content=packed, headers={"Content-Encoding": word}).status_code == 201
        )
    bomb = gzip.compress(b" " * (64 * 2**20))
    assert len(bomb) < 2**17
    gzipped = {"Content-Encoding": "gzip"}
    refused(client.post(PATH, content=bomb, headers=gzipped), 413, "too_large")
    for bad in (b"", b"{}", packed[:-9], packed + b"x", packed + packed, gzip.compress(b"{")):
        refused(client.post(PATH, content=bad, headers=gzipped), 400, "bad_syntax")
    for word in ("br", "deflate", "gzip, gzip"):
        answer = client.post(PATH, content=packed, headers={"Content-Encoding": word})
        refused(answer, 415, "unknown_encoding")
        assert answer.headers["accept-encoding"] == "gzip"
    assert len(jobs(client, project)) == 1


def test_faults_of_the_edge_are_worded(
    shared_server: LiveServer, client: httpx.Client, project: str
) -> None:
    answer = shared_server.opened().post(PATH, json=said("START", str(uuid7())))
    refused(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    reader = shared_server.client_of(project, [Scope.JOBS_READ])
    refused(post(reader, said("START", str(uuid7()))), 403, "forbidden")
    refused(client.post("/api/v1/namespaces", json={}), 404, "no_such_path")
    answer = client.get(PATH)
    refused(answer, 405, "wrong_method")
    assert answer.headers["allow"] == "POST"


def test_the_same_run_of_another_tenant_is_another_job(
    shared_server: LiveServer, client: httpx.Client, project: str
) -> None:
    run = str(uuid7())
    mine = taken(post(client, said("START", run)))
    other = f"lineage-{uuid7()}"
    stranger = shared_server.client_of(other)
    theirs = taken(post(stranger, said("START", run)))
    assert theirs["job"]["id"] != mine["job"]["id"]
    taken(post(stranger, said("FAIL", run, 1)))
    assert job(client, project, run)["state"] == "Processing"
    assert job(stranger, other, run)["state"] == "Failed"
