"""An answer's head, and that it is written with its body at once.

Seen red with: control characters that are looked for in the first lines alone, and a body written by itself."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.exchange import Unsayable, head_of
from api.line import Line
from api.operation import Said
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
