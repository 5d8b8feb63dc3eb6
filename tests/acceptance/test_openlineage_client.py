"""PyPI's openlineage-python, unmodified, against the running server: HTTP transport, gzip and retries on.

Invariants: each test has a project of its own on the shared server."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx2 as httpx
import pytest
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import documentation_job, error_message_run, nominal_time_run
from openlineage.client.transport.http import HttpCompression, HttpConfig, HttpTransport
from uuid_utils.compat import uuid7

from api.operation import Scope
from tests.fix_openlineage import (
    PRODUCER,
    job,
    log,
    states,
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


@pytest.fixture
def lineage(shared_server: LiveServer, project: str) -> OpenLineageClient:
    """OpenLineage's client, with a key of the same project."""
    auth = {"type": "api_key", "apiKey": shared_server.issue(project, [Scope.JOBS_WRITE]).key}
    config = HttpConfig.from_dict({"url": shared_server.url, "compression": "gzip", "auth": auth})
    assert config.compression is HttpCompression.GZIP
    assert config.retry["total"] == 5
    return OpenLineageClient(transport=HttpTransport(config))


def event(kind: RunState, run: str, minute: int = 0, /, **fields: Any) -> RunEvent:
    given = {
        "job": Job(namespace="airflow", name="etl.load"),
        "run": Run(runId=run),
        "producer": PRODUCER,
    }
    return RunEvent(
        eventType=kind,
        eventTime=f"2024-05-30T05:{minute:02}:00.000001+00:00",
        **{**given, **fields},
    )


def test_a_run_from_start_to_complete(
    lineage: OpenLineageClient, client: httpx.Client, project: str
) -> None:
    run = str(uuid7())
    documented = Job(
        "airflow",
        "etl.load",
        {"documentation": documentation_job.DocumentationJobFacet(description="Loads é.")},
    )
    nominal = nominal_time_run.NominalTimeRunFacet(nominalStartTime="2024-05-30T05:00:00Z")
    lineage.emit(event(RunState.START, run, job=documented, run=Run(run, {"nominalTime": nominal})))
    lineage.emit(event(RunState.RUNNING, run, 1))
    outputs = [OutputDataset(namespace="pg", name="public.t")]
    lineage.emit(
        event(RunState.COMPLETE, run, 2, inputs=[InputDataset("s3", "in.csv")], outputs=outputs)
    )
    found = job(client, project, run)
    assert found["id"] != run
    assert (found["type"], found["object"], found["command"]) == (
        "OpenLineageRun",
        "etl.load",
        "airflow",
    )
    assert (found["state"], found["attempts"], found["description"]) == ("Succeeded", 1, "Loads é.")
    assert (
        found["detail"]["run"]["facets"]["nominalTime"]["nominalStartTime"]
        == "2024-05-30T05:00:00Z"
    )
    assert [(entry["state"], entry["at"]) for entry in found["history"]] == [
        ("Created", "2024-05-30T05:00:00.000001Z"),
        ("Processing", "2024-05-30T05:00:00.000001Z"),
        ("Succeeded", "2024-05-30T05:02:00.000001Z"),
    ]
    events = log(client, project, found)
    assert topics(events) == ["created", "started", "noted", "succeeded", "noted"]
    kept = json.loads(events[-1]["note"])
    assert (kept["inputs"][0]["name"], kept["outputs"][0]["namespace"]) == ("in.csv", "pg")


def test_a_run_that_fails(lineage: OpenLineageClient, client: httpx.Client, project: str) -> None:
    run = str(uuid7())
    lineage.emit(event(RunState.START, run))
    error = error_message_run.ErrorMessageRunFacet(
        message="no room", programmingLanguage="python", stackTrace="line 7"
    )
    lineage.emit(event(RunState.FAIL, run, 1, run=Run(run, {"errorMessage": error})))
    found = job(client, project, run)
    assert (found["state"], found["failure"]) == ("Failed", {"kind": "exception", "final": True})
    assert found["messages"] == [{"code": 0, "message": "no room", "description": "line 7"}]


def test_the_client_s_duplicates_and_disorder_are_harmless(
    lineage: OpenLineageClient, client: httpx.Client, project: str
) -> None:
    run = str(uuid7())
    complete, start = event(RunState.COMPLETE, run, 5), event(RunState.START, run)
    for one in (complete, complete, start, start, complete):
        lineage.emit(one)
    found = job(client, project, run)
    assert states(found) == ["Created", "Processing", "Succeeded"]
    assert "No START" in found["history"][1]["note"]
    events = log(client, project, found)
    assert topics(events) == ["created", "started", "succeeded", "noted"]
    assert events[-1]["occurred_at"] == "2024-05-30T05:00:00.000001Z"
    assert json.loads(events[-1]["note"])["eventType"] == "START"


def test_the_client_is_told_when_it_may_not(shared_server: LiveServer, project: str) -> None:
    key = shared_server.issue(project, [Scope.JOBS_READ]).key
    for auth, status in ((key, 403), ("jl_x_y", 401)):
        config = {"url": shared_server.url, "auth": {"type": "api_key", "apiKey": auth}}
        client = OpenLineageClient(transport=HttpTransport(HttpConfig.from_dict(config)))
        with pytest.raises(Exception, match=f"^{status} Client Error"):
            client.emit(event(RunState.START, str(uuid7())))


@pytest.fixture
def lossy(shared_server: LiveServer) -> Iterator[str]:
    """The address of a gateway that passes every request on, and loses every other answer: a 503, or nothing at all."""
    lost = itertools.cycle((503, 201, None, 201))

    class Gateway(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            passed = {
                name: self.headers[name]
                for name in ("authorization", "content-type", "content-encoding")
            }
            url = f"{shared_server.url}{self.path}"
            answer = httpx.post(url, content=body, headers=passed, timeout=30)
            assert answer.status_code == 201, answer.text
            if (status := next(lost)) is None:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the tests' output is for tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_the_client_s_retries_have_one_effect(
    shared_server: LiveServer, lossy: str, client: httpx.Client, project: str
) -> None:
    auth = {"type": "api_key", "apiKey": shared_server.issue(project, [Scope.JOBS_WRITE]).key}
    config = {"url": lossy, "compression": "gzip", "auth": auth, "retry": {"backoff_factor": 0.01}}
    lineage = OpenLineageClient(transport=HttpTransport(HttpConfig.from_dict(config)))
    run = str(uuid7())
    for minute, kind in enumerate((RunState.START, RunState.RUNNING, RunState.COMPLETE)):
        lineage.emit(event(kind, run, minute))
    lineage.close()
    found = job(client, project, run)
    assert topics(log(client, project, found)) == [
        "created",
        "started",
        "noted",
        "succeeded",
        "noted",
    ]
