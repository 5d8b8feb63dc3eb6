"""An answer's head, and that it is written with its body at once.

Seen red with: control characters that are looked for in the first lines alone, a body written by itself, a request that is a cycle of references,
and a line that stays open behind a body that nobody was told to send."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.admission import Admission
from api.edge import CRASHED, Endpoint
from api.exchange import Exchange, Unsayable, head_of
from api.line import Line
from api.measures import Measures
from api.operation import NO_BODY, Said
from api.operations import by_path
from api.porter import Porter
from api.turns import Turns
from ledger.settings import Settings
from tests.fix_server import LiveServer

SAYABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"))


@given(st.lists(st.tuples(st.sampled_from(["Location", "ETag", "Link"]), SAYABLE)))
def test_a_head_says_each_header_on_a_line(headers: list[tuple[str, str]]) -> None:
    said = Said(200, b"abc", "application/json", tuple(headers))
    first = ["content-type: application/json", "content-length: 3", "x-request-id: r-1"]
    lines = [f"{name.lower()}: {word}" for name, word in headers]
    assert head_of(said, "r-1") == "".join(f"{line}\r\n" for line in (*first, *lines)).encode(
        "latin-1"
    )


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_says_nothing_of_one(status: int) -> None:
    said = Said(status, b"", "application/json", (("ETag", '"3"'),))
    assert head_of(said, "r-1") == b'x-request-id: r-1\r\netag: "3"\r\n'


def test_an_answer_that_might_have_a_body_says_that_it_has_none() -> None:
    said = Said(201, b"", NO_BODY, (("ETag", '"3"'),))
    assert head_of(said, "r-1") == b'content-length: 0\r\nx-request-id: r-1\r\netag: "3"\r\n'


@pytest.mark.parametrize("odd", ["\r\n", "\r", "\n", "\r\nx: y", "\x00", "\x7f", "\x0b", "\n\r"])
@pytest.mark.parametrize("status", [200, 304])
def test_what_would_end_a_head_early_is_not_said(odd: str, status: int) -> None:
    for said in (
        Said(status, b"", "text/plain", (("Location", f"/a{odd}b"),)),
        Said(status, b"", "text/plain", (("ETag", "1"), ("Link", odd))),
    ):
        with pytest.raises(Unsayable):
            head_of(said, "r-1")


def test_what_latin_1_lacks_is_replaced() -> None:
    said = Said(200, b"", "text/plain", (("Location", "/\u20ac"),))
    assert head_of(said, "r").endswith(b"location: /?\r\n")


def test_head_and_body_are_written_at_once(
    shared_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    made = Line.connection_made

    def connection_made(self: Line, transport: object) -> None:
        made(self, transport)  # type: ignore[arg-type]
        really = self.transport.write

        def write(part: bytes) -> None:
            written.append(bytes(part))
            really(part)

        monkeypatch.setattr(self.transport, "write", write)

    monkeypatch.setattr(Line, "connection_made", connection_made)
    with socket.create_connection((shared_server.host, shared_server.port), timeout=30) as line:
        line.sendall(b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = line.recv(65_536)
    [whole] = written
    assert whole == answer
    head, _, body = whole.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert f"content-length: {len(body)}".encode() in head


def test_nothing_is_left_of_a_request_for_the_garbage_collector(shared_server: LiveServer) -> None:
    """It would hold bodies that nobody counts until the collector looks."""
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(one, Exchange) for one in gc.get_objects())
        for headers in ({}, {"authorization": "Bearer no"}):
            for _ in range(20):
                client = shared_server.opened(headers)
                assert client.post("/v1/projects/demo/jobs", content=b"x").status_code == 401
        left = sum(isinstance(one, Exchange) for one in gc.get_objects()) - before
    finally:
        gc.enable()
    assert left < 5


def test_a_line_ends_with_an_answer_before_its_body_was_asked_for(
    shared_server: LiveServer,
) -> None:
    head = b"POST /v1/projects/demo/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer no\r\n"
    with socket.create_connection((shared_server.host, shared_server.port), timeout=30) as line:
        line.sendall(head + b"expect: 100-continue\r\ncontent-length: 9\r\n\r\n")
        answer = b""
        while part := line.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close\r\n" in answer


def test_what_cannot_be_said_is_a_crash_in_the_words_of_its_dialect() -> None:
    """Seen red with an error that nobody catches: uvicorn's own words, or none at all."""
    sent: list[Any] = []

    async def perform(*_: object) -> Said:
        return Said(200, b"", "text/plain", (("Location", "/a\r\nb"),))

    async def admit(*_: object) -> None:
        raise AssertionError("a public operation")

    async def receive() -> Any:
        raise AssertionError("a GET has no body")

    async def send(message: Any) -> None:
        sent.append(message)

    measures = Measures()
    chosen = Settings()
    endpoint = Endpoint(
        by_path()["/livez"],
        perform=perform,
        measures=measures,
        admission=Admission(chosen),
        admit=admit,
        porter=Porter(Turns(chosen), measures),
    )
    head = {"method": "GET", "path": "/livez", "raw_path": b"/livez", "query_string": b""}
    scope = {"type": "http", "scheme": "http", "headers": [], **head}
    asyncio.run(endpoint(scope, receive, send))
    start, body = sent
    assert start["status"] == 500
    assert json.loads(body["body"])["detail"] == CRASHED
