"""Limits over a real server: what is beyond them is refused with 429 or 503 and Retry-After in the caller's dialect, and changes nothing."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2 as httpx
import pytest

from ledger import settings
from tests.fix_log import eventually
from tests.fix_server import LiveServer, NarrowServer
from tests.native import JOBS, create, problem
from tests.writes import DEADLINE_S, appends_wait, held

# Requests of dialects that carry a bearer key; what each answers with when it is told to come back.
SPEAKERS = {
    "native": ("GET", JOBS, "application/problem+json"),
    "gogrid": ("GET", "/api/grid/job/list", "application/json"),
    "comestri": ("GET", "/api/v2/jobs", "application/json"),
    "orange": ("GET", "/projects/demo/jobs", "application/json"),
    "geoop": ("GET", "/jobs", "application/json"),
    "openlineage": ("POST", "/api/v1/lineage", "application/json"),
}


@contextmanager
def a_write_under_way(server: LiveServer, project: str = "demo") -> Iterator[None]:
    """One request that has its place and cannot end before the block does."""
    client = server.client_of(project)
    holding, enough = threading.Event(), threading.Event()

    async def hold() -> None:
        async with held(server.dsn) as holder:
            holding.set()
            await asyncio.to_thread(enough.wait, DEADLINE_S)
            await holder.rollback()

    async def wait() -> None:
        from psycopg import AsyncConnection

        async with await AsyncConnection.connect(server.dsn) as looking:
            await appends_wait(looking)

    path = f"/v1/projects/{project}/jobs"
    holder = threading.Thread(target=lambda: asyncio.run(hold()))
    writer = threading.Thread(target=lambda: client.post(path, json={"type": "T"}))
    holder.start()
    assert holding.wait(DEADLINE_S)
    writer.start()
    asyncio.run(wait())
    try:
        yield
    finally:
        enough.set()
        writer.join(DEADLINE_S)
        holder.join(DEADLINE_S)


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_a_process_takes_on_only_so_much(narrow_server: NarrowServer, speaker: str) -> None:
    server = narrow_server({"LEDGER_REQUESTS_MAX": 1})
    method, path, media_type = SPEAKERS[speaker]
    with a_write_under_way(server):
        answer = server.client.request(method, path, content=b"{}" if method == "POST" else None)
        assert answer.status_code == 503, answer.text
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["content-type"].startswith(media_type)
        assert server.client.get("/livez").status_code == 200
        figures = server.client.get("/metrics").text
        assert 'code="busy"' in figures
        # The write that is held, and the one that asks.
        assert "jobledger_requests_under_way 2.0" in figures
    assert len(server.client.get(JOBS).json()["jobs"]) == 1


def test_a_project_leaves_room_for_others(narrow_server: NarrowServer) -> None:
    server = narrow_server({"LEDGER_PROJECT_REQUESTS_MAX": 1})
    other = server.client_of("other")
    with a_write_under_way(server):
        answer = server.client.get(JOBS)
        problem(answer, 429, "crowded")
        assert answer.headers["retry-after"] == "1"
        assert server.client.get("/api/v2/jobs").status_code == 503
        assert other.get("/v1/projects/other/jobs").status_code == 200
    create(server.client)


def test_who_is_not_known_yet_waits_with_his_project(narrow_server: NarrowServer) -> None:
    """As when a busy client comes to a server that has just started. Seen red with such answered 429 at once."""
    server = narrow_server({"LEDGER_PROJECT_REQUESTS_MAX": 1, "LEDGER_TURN_S_MAX": 60})
    stranger = server.client_of("demo")
    with ThreadPoolExecutor(1) as beside:
        with a_write_under_way(server):
            answer = beside.submit(stranger.get, JOBS)
            tells(server, "jobledger_requests_waiting 1.0")
            assert not answer.done()
        assert answer.result(DEADLINE_S).status_code == 200


def test_a_client_that_leaves_while_it_waits_with_its_project_is_forgotten(
    narrow_server: NarrowServer,
) -> None:
    server = narrow_server({"LEDGER_PROJECT_REQUESTS_MAX": 1, "LEDGER_TURN_S_MAX": 60})
    key = server.issue().key
    head = f"GET {JOBS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\r\n"
    with a_write_under_way(server):
        with socket.create_connection((server.host, server.port), timeout=DEADLINE_S) as leaving:
            leaving.sendall(head.encode())
            tells(server, "jobledger_requests_waiting 1.0")
        # The write that is held, and the one that asks.
        tells(server, "jobledger_requests_under_way 2.0")


def tells(server: LiveServer, figure: str) -> None:
    eventually(lambda: figure in server.client.get("/metrics").text, figure)


def test_a_body_that_does_not_come_takes_nobodys_place(narrow_server: NarrowServer) -> None:
    server = narrow_server({"LEDGER_REQUESTS_MAX": 1})
    create(server.client)
    key = server.client.headers["authorization"]
    head = f"POST {JOBS} HTTP/1.1\r\nhost: x\r\ncontent-length: 13\r\nauthorization: {key}\r\n\r\n"
    with socket.create_connection((server.host, server.port), timeout=DEADLINE_S) as slow:
        slow.sendall(head.encode() + b'{"type"')
        for _ in range(3):
            create(server.client)
        slow.sendall(b':"Tt"}')
        assert slow.recv(65_536).startswith(b"HTTP/1.1 201 ")


def test_every_place_is_given_back(narrow_server: NarrowServer) -> None:
    """By a request that goes nowhere, has no credential, or is not what it should be, too."""
    server = narrow_server({"LEDGER_REQUESTS_MAX": 1})
    nobody = server.opened()
    for _ in range(3):
        assert server.client.delete(JOBS).status_code == 405
        assert server.client.get("/nowhere").status_code == 404
        assert nobody.get(JOBS).status_code == 401
        assert server.client.post(JOBS, content=b"{").status_code == 400
        create(server.client)


def test_a_key_asks_only_so_often(narrow_server: NarrowServer) -> None:
    server = narrow_server({"LEDGER_KEY_REQUESTS_PER_S_MAX": 1})
    other = server.client_of("demo")
    answers = [server.client.post(JOBS, json={"type": "T"}) for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code != 201]
    assert refused
    for answer in refused:
        problem(answer, 429, "too_fast")
        assert answer.headers["retry-after"] == "1"
    page = other.get(JOBS, params={"count": "exact"})
    assert page.json()["total"] == len(answers) - len(refused), "another key of the project"


def test_connections_beyond_the_limit_are_answered(narrow_server: NarrowServer) -> None:
    server = narrow_server({"LEDGER_CONNECTIONS_MAX": 1})
    create(server.client)  # its connection stays open
    headers = server.client.headers
    with httpx.Client(base_url=server.url, headers=headers, timeout=DEADLINE_S) as late:
        answer = late.get(JOBS)
        problem(answer, 503, "busy")
        assert "retry-after" in answer.headers
        assert late.get("/livez").status_code == 200
    assert server.client.get(JOBS).status_code == 200


def test_bodies_together_have_a_limit(
    shared_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "BODIES_BYTES_MAX", 1_000)
    job = {"type": "T", "description": "x" * 2_000}
    problem(shared_server.client.post(JOBS, json=job), 503, "busy")
    monkeypatch.undo()
    create(shared_server.client, description="x" * 2_000)
