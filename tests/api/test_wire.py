"""Bytes that no client library would send: each is answered with a 4xx where HTTP lets us answer, changes nothing, and leaves the server well."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Mapping
from contextlib import suppress

import pytest

from tests.fix_server import LiveServer

PATH = b"/v1/projects/wire/jobs"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def sized(body: bytes, more: bytes = b"") -> bytes:
    return more + b"Content-Length: %d\r\n\r\n" % len(body) + body


# What stands behind the request line and the credential, and the status; 0: the line may be closed without one.
BODIES: Mapping[str, tuple[bytes, int]] = {
    "deep": (sized(b'{"type":"t","detail":{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}}"), 400),
    "deep without end": (sized(b"[" * 100_000), 400),
    "beyond all bounds": (sized(b'{"type":"t","detail":{"a":1e400}}'), 422),
    "a huge integer": (sized(b'{"type":"t","number":' + b"9" * 400 + b"}"), 422),
    "an integer of 5,000 digits": (
        sized(b'{"type":"t","detail":{"a":' + b"9" * 5_000 + b"}}"),
        400,
    ),
    "NaN": (sized(b'{"type":"t","detail":{"a":NaN}}'), 422),
    "NUL": (sized(b'{"type":"a\\u0000b"}'), 422),
    "a raw NUL": (sized(b'{"type":"a\x00b"}'), 400),
    "a lone surrogate": (sized(b'{"type":"\\ud800"}'), 400),
    "a lone surrogate in bytes": (sized(b'{"type":"\xed\xa0\x80"}'), 400),
    "no UTF-8": (sized(b'{"type":"\xff"}'), 400),
    "a bomb": (sized(gzip.compress(b" " * 64_000_000), b"Content-Encoding: gzip\r\n"), 413),
    "half a gzip": (sized(gzip.compress(b"{}")[:-4], b"Content-Encoding: gzip\r\n"), 400),
    "a chunk without a size": (CHUNKED + b"\r\nzz\r\n{}\r\n0\r\n\r\n", 400),
    "a size below nothing": (b"Content-Length: -5\r\n\r\n{}", 400),
    "two sizes": (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", 400),
    "a size and chunks": (b"Content-Length: 2\r\n" + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    "NUL in a header": (sized(b"{}", b"X-A: a\x00b\r\n"), 400),
    "a header without a colon": (b"nonsense\r\n\r\n", 400),
    "two credentials": (sized(b"{}", b"authorization: Bearer x\r\n"), 400),
    "two keys": (sized(b'{"type":"t"}', b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n"), 400),
    "two types": (sized(b"{}", b"Content-Type: text/xml\r\nContent-Type: a/b\r\n"), 400),
    "two hosts": (sized(b"{}", b"Host: b\r\n"), 400),
    "two packings": (
        sized(b"{}", b"Content-Encoding: gzip\r\nContent-Encoding: identity\r\n"),
        400,
    ),
    "packed twice": (sized(b"{}", b"Content-Encoding: gzip, gzip\r\n"), 415),
    "a header over two lines": (sized(b"{}", b"X-A: a\r\n b\r\n"), 400),
    "a chunk that is too long": (CHUNKED + b"\r\nffffffffffffffffff\r\n{}\r\n", 400),
    "a chunk less than none": (CHUNKED + b"\r\n-1\r\n{}\r\n", 400),
}


def said(server: LiveServer, sent: bytes) -> bytes:
    """Everything that the server answers on a line of its own until it is closed."""
    with socket.create_connection((server.host, server.port), timeout=30) as line:
        answer = b""
        with suppress(ConnectionError):  # it does not hear us to the end, and may have answered
            line.sendall(sent)
        with suppress(ConnectionError):
            while part := line.recv(65_536):
                answer += part
    return answer


@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_no_client_sends(shared_server: LiveServer, case: str) -> None:
    key, _ = shared_server.make_key("wire")
    rest, status = BODIES[case]
    head = b"POST " + PATH + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    answer = said(shared_server, head + f"Authorization: Bearer {key}\r\n".encode() + rest)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:600]
    _unchanged(shared_server, key)


# Whole requests without a credential, and the statuses that are right.
HEADS: Mapping[str, tuple[bytes, set[int]]] = {
    "no host": (b"GET " + PATH + b" HTTP/1.1\r\nConnection: close\r\n\r\n", {400, 401}),
    "an absolute address": (b"GET http://else.example" + PATH + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", {400, 401, 404}),
    "a verb of our own": (b"BREW " + PATH + b" HTTP/1.1\r\nHost: a\r\n\r\n", {400, 405}),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", {400}),
    "a version to come": (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", {400, 505}),
    "raw bytes in the path": (b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", {400, 404}),
    "half a percent": (b"GET /jobs/%e9%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", {401, 404}),
    "a surrogate in the query": (b"GET /jobs?state=%ed%a0%80 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", {400}),
    "NUL in the query": (b"GET /jobs?state=%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", {400}),
    # As much of a head as comes in one piece may be read to its end.
    "a huge header": (b"GET " + PATH + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n", {401, 413}),
    "twenty thousand headers": (b"GET " + PATH + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + b"a: b\r\n" * 20_000 + b"\r\n", {401, 413}),
    "an endless query": (b"GET /jobs?a=" + b"a" * 30_000 + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", {400, 413}),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADS)
def test_a_head_that_no_client_sends(shared_server: LiveServer, case: str) -> None:
    key, _ = shared_server.make_key("wire")
    sent, statuses = HEADS[case]
    answer = said(shared_server, sent)
    assert answer[:9] == b"HTTP/1.1 ", answer[:300]
    assert int(answer[9:12]) in statuses, answer[:600]
    _unchanged(shared_server, key)


def _unchanged(server: LiveServer, key: str) -> None:
    client = server.opened({"Authorization": f"Bearer {key}"})
    assert client.get("/v1/projects/wire/events").json()["events"] == []


# Heads that are no HTTP, and the path whose dialect answers: uvicorn itself would say it in plain text.
SHAPELESS: Mapping[str, tuple[bytes, bytes, bytes]] = {
    "native": (PATH, b"application/problem+json", b'"code":"bad_syntax"'),
    "gogrid": (b"/api/grid/job/list?format=xml", b"text/xml", b"IllegalArgumentException"),
    "orange": (b"/projects/demo/jobs", b"application/json", b'"code":28'),
    "comestri": (b"/api/v2/jobs", b"application/json", b'"error":"Unprocessable Entity"'),
    "geoop": (b"/jobs", b"application/json", b'"type":"syntax"'),
}


@pytest.mark.parametrize("dialect", SHAPELESS)
def test_what_is_no_http_is_refused_in_the_dialects_words(
    shared_server: LiveServer, dialect: str
) -> None:
    path, media_type, word = SHAPELESS[dialect]
    answer = said(shared_server, b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 422 ")), answer
    assert b"content-type: " + media_type in head
    assert b"connection: close" in head
    assert word in body


def test_an_answer_that_is_owed_comes_before_a_shapeless_request(
    shared_server: LiveServer,
) -> None:
    key, _ = shared_server.make_key("wire")
    good = b"GET " + PATH + f" HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    answer = said(shared_server, good + b"nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("sent", [0, 200_000], ids=["nothing of it", "some of it"])
@pytest.mark.parametrize("last", [b"", b"Connection: close\r\n"], ids=["goes on", "last"])
def test_a_bad_credential_is_refused_before_the_body_is_read(
    shared_server: LiveServer, sent: int, last: bytes
) -> None:
    """Eight megabytes are announced and most of them never sent; whoever waits for them gives no answer for half a minute."""
    head = b"POST " + PATH + b" HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer jl_0_0_0\r\n" + last
    with socket.create_connection((shared_server.host, shared_server.port), timeout=20) as line:
        line.sendall(head + b"Content-Length: 8000000\r\n\r\n" + b"x" * sent)
        assert line.recv(65_536).startswith(b"HTTP/1.1 401 ")


def test_a_line_is_good_for_more_after_such_a_refusal(shared_server: LiveServer) -> None:
    key, _ = shared_server.make_key("wire")
    bad = b"POST " + PATH + b" HTTP/1.1\r\nHost: a\r\n" + sized(b"x" * 500_000)
    good = f"GET /v1/projects/wire/jobs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
    answer = said(shared_server, bad + good.encode() + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 "), answer
    assert b"HTTP/1.1 200 " in answer


def test_requests_that_come_at_once_are_answered_in_order(shared_server: LiveServer) -> None:
    key, _ = shared_server.make_key("at-once")
    head = f" HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n".encode()
    jobs = b"/v1/projects/at-once/jobs"
    new = b"POST " + jobs + head + sized(b'{"type":"t"}')
    refused = b"POST " + jobs + head + sized(b"{")
    read = b"GET " + jobs + head + b"Connection: close\r\n\r\n"
    answer = said(shared_server, new + refused + new + read)
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [201, 400, 201, 200]
    assert answer.count(b'"id":') >= 4


BROKEN = (
    b"\x16\x03\x01\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 300_000,
)


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_what_has_an_effect_is_never_answered_for_what_comes_behind_it(
    shared_server: LiveServer, broken: bytes
) -> None:
    """A 4xx says that nothing has happened: so it must not be the first answer on a line whose first request is saved."""
    project = f"behind-{len(broken)}"
    key, _ = shared_server.make_key(project)
    head = f" HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n".encode()
    new = b"POST /v1/projects/" + project.encode() + b"/jobs" + head + sized(b'{"type":"t"}')
    answer = said(shared_server, new + broken)
    client = shared_server.opened({"Authorization": f"Bearer {key}"})
    events = client.get(f"/v1/projects/{project}/events").json()["events"]
    assert not answer or answer.startswith(b"HTTP/1.1 201 ")
    assert len(events) == 1
