"""Slow and shapeless clients: each is left after its time or its bytes, and costs nobody else anything."""

from __future__ import annotations

import gc
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from api import keys
from api.line import Line
from ledger import settings
from tests.fix_server import LiveServer
from tests.native import JOBS, create

DEADLINE_S = 30.0


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a time so short that a test can wait for it. All others stay long: on a slow machine what is good takes longer than that."""
    monkeypatch.setattr(settings, "LINE_LOOK_S", 0.05)
    return lambda name: monkeypatch.setattr(settings, name, 0.2)


@contextmanager
def connected(server: LiveServer) -> Iterator[socket.socket]:
    with socket.create_connection((server.host, server.port), timeout=DEADLINE_S) as line:
        yield line


def all_that_comes(line: socket.socket) -> bytes:
    """Until the server closes the line; a reset ends it as well."""
    found = b""
    try:
        while part := line.recv(65_536):
            found += part
    except ConnectionResetError:
        pass
    return found


def go_on_sending(line: socket.socket) -> None:
    """Without reading, as long as the other side takes it."""
    while line.send(b"\r"):
        time.sleep(0.01)


@pytest.mark.parametrize("begun", [b"", b"\r\n", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nx: y"])
def test_a_head_that_does_not_come_is_not_waited_for(
    shared_server: LiveServer, hurry: Callable[[str], None], begun: bytes
) -> None:
    with connected(shared_server) as line:
        line.sendall(begun)
        hurry("HEAD_S")
        assert all_that_comes(line) == b""


def test_nor_is_one_that_comes_after_an_answer(
    shared_server: LiveServer, hurry: Callable[[str], None]
) -> None:
    with connected(shared_server) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 200")
        line.sendall(b"GET /livez HTTP/1.1\r\n")
        hurry("HEAD_S")
        assert all_that_comes(line) == b""


def test_nor_is_the_next_request_of_a_line_that_is_idle(
    shared_server: LiveServer, hurry: Callable[[str], None]
) -> None:
    """Seen red with a line that is never looked at for it; a line that is asked again within the time stays open."""
    with connected(shared_server) as line:
        for _ in range(3):
            line.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            assert line.recv(65_536).startswith(b"HTTP/1.1 200")
        hurry("KEEP_ALIVE_S")
        assert all_that_comes(line) == b""


def test_a_body_that_does_not_come_is_told_so(
    shared_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "BODY_S", 0.2)
    # Left so much later, answered or not.
    monkeypatch.setattr(settings, "LINE_LOOK_S", 2.0)
    key = shared_server.client.headers["authorization"].encode()
    with connected(shared_server) as line:
        line.sendall(
            b"POST /v1/projects/demo/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n"
            b"authorization: " + key + b"\r\n\r\n{"
        )
        answer = all_that_comes(line)
    assert answer.startswith(b"HTTP/1.1 408"), answer
    assert b'"code":"too_slow"' in answer


def test_an_answer_that_is_not_read_is_thrown_away(
    shared_server: LiveServer, hurry: Callable[[str], None]
) -> None:
    hurry("ANSWER_S")
    with connected(shared_server) as line:
        asked = 400  # answers of a hundred KiB each: more than the kernel's buffers take
        line.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * asked)
        with pytest.raises(ConnectionError):
            go_on_sending(line)


def test_nor_is_the_last_one_kept_for_a_client_that_is_idle(
    shared_server: LiveServer, hurry: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red with a line that is looked at no more once it is being closed: what is not read would keep it open for ever."""
    client = shared_server.client_of("large")
    large = {"type": "T", "detail": {"text": "x" * 200_000}}
    for _ in range(40):
        assert client.post("/v1/projects/large/jobs", json=large).status_code == 201
    key = client.headers["authorization"]
    hurry("ANSWER_S")
    monkeypatch.setattr(settings, "KEEP_ALIVE_S", 0.1)
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.connect((shared_server.host, shared_server.port))
        line.sendall(
            f"GET /v1/projects/large/jobs?limit=40 HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\n\r\n".encode()
        )
        ended = select.poll()
        ended.register(line, select.POLLHUP)
        assert ended.poll(DEADLINE_S * 1_000)


def test_a_key_that_ends_while_a_body_comes_is_refused(
    shared_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red with a key that is looked at before the body alone."""
    monkeypatch.setattr(settings, "KEY_CACHE_S", 0.0)
    issued = shared_server.issue("demo")
    body = b'{"type": "T", "object": "of an ended key"}'
    head = (
        f"POST /v1/projects/demo/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {issued.key}\r\n"
    )
    with connected(shared_server) as line:
        line.sendall(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body[:-1])
        # Answered behind it: the first request's head was looked at.
        assert shared_server.client.get("/livez").is_success
        with psycopg.connect(shared_server.dsn, autocommit=True) as owner:
            keys.revoke(owner, issued.stored.key_id)
        line.sendall(body[-1:])
        assert line.recv(65_536).startswith(b"HTTP/1.1 401 ")


def test_what_cannot_be_upgraded_is_answered_as_it_is(shared_server: LiveServer) -> None:
    """And the line stays open. Seen red with an upgrade that is taken for no request."""
    with connected(shared_server) as line:
        for _ in range(2):
            line.sendall(
                b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
            )
            assert line.recv(65_536).startswith(b"HTTP/1.1 200")


def test_nothing_is_left_of_a_line_for_the_garbage_collector(shared_server: LiveServer) -> None:
    """Seen red with a parser that is not let go."""
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(one, Line) for one in gc.get_objects())
        for _ in range(20):
            with connected(shared_server) as line:
                line.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                assert all_that_comes(line).startswith(b"HTTP/1.1 200")
        assert shared_server.client.get("/livez").is_success
        left = sum(isinstance(one, Line) for one in gc.get_objects()) - before
    finally:
        gc.enable()
    assert left < 5


def test_a_head_without_end_is_refused(shared_server: LiveServer) -> None:
    with connected(shared_server) as line:
        try:
            line.sendall(b"GET /livez HTTP/1.1\r\n")
            for _ in range(50):
                line.sendall(b"x: " + b"y" * 4_000 + b"\r\n")
        except ConnectionError:
            pass
        assert all_that_comes(line)[:12] in (b"HTTP/1.1 413", b"")
    create(shared_server.client)


def test_a_body_far_beyond_the_limit_is_not_heard_to_its_end(
    shared_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "BODY_BYTES_MAX", 100_000)
    head = b"POST /v1/projects/demo/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n"
    with connected(shared_server) as line:
        line.sendall(head)
        with pytest.raises(ConnectionError):
            line.sendall(b"x" * 100_000_000)


@pytest.mark.parametrize(
    ("said", "scheme"), [({}, "http"), ({"x-forwarded-proto": "https"}, "https")]
)
def test_a_proxy_beside_us_says_how_a_request_came(
    shared_server: LiveServer, said: dict[str, str], scheme: str
) -> None:
    """Seen red with a line that passes over who reads it."""
    answer = shared_server.client.post(JOBS, json={"type": "T"}, headers=said)
    assert answer.headers["location"].startswith(f"{scheme}://")
