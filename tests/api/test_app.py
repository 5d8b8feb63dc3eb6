"""The application: whose a request is, who has to say who he is, and that it answers by ASGI alone as it does on lines of ours.

Seen red with a body whose first part is taken for all of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from api.app import create_app
from api.secret import SECRET_BYTES, Secret
from tests.fix_server import LiveServer, serve
from tests.native import JOBS


@pytest.mark.parametrize(
    ("method", "path", "public"),
    [
        *(("GET", "/livez", True), ("HEAD", "/readyz", True), ("POST", "/livez", False)),
        *(("GET", "/openapi/geoop.json", True), ("GET", "/v1/projects/p/jobs", False)),
        *(("GET", "/nowhere", False), ("GET", "/jobs", False)),
    ],
)
def test_probes_are_always_let_in(method: str, path: str, *, public: bool) -> None:
    app = create_app("", Secret(bytes(SECRET_BYTES)), run_projections=False)
    assert app.door({"path": path}).is_public(method) is public


@pytest.fixture
def plain_server(database: str) -> Iterator[LiveServer]:
    """The same application on connections of uvicorn's own."""
    yield from serve(database, Secret(secrets.token_bytes(SECRET_BYTES)), "httptools")


def said(server: LiveServer) -> list[tuple[int, list[str], str]]:
    """What becomes of some requests: status, names of headers, and a body that is the same in each ledger."""
    client = server.client
    large = {"type": "T", "detail": {"text": "x" * 200_000}}
    made = client.post(JOBS, json=large, headers={"idempotency-key": secrets.token_hex(8)})
    assert made.json()["detail"] == large["detail"]
    one = f"{JOBS}/{made.json()['id']}"
    answers = [
        client.post(f"{one}/events", content=iter((b'{"event":', b' "queued"}'))),
        client.post(f"{one}/events", json={"event": "queued"}),
        client.post(JOBS, content=b"{"),
        client.get(one, headers={"if-none-match": '"2"'}),
        client.head(one),
        client.get("/nowhere"),
        client.delete(JOBS),
        server.opened().get(JOBS),
        client.get("/livez"),
    ]
    return [
        (one.status_code, sorted(one.headers), one.json()["detail"] if one.is_error else "")
        for one in (made, *answers)
    ]


def test_by_asgi_alone_it_answers_as_on_a_line(
    plain_server: LiveServer, live_server: LiveServer
) -> None:
    plain, ours = said(plain_server), said(live_server)
    assert [one[0] for one in plain] == [201, 200, 409, 400, 304, 200, 404, 405, 401, 200]
    assert plain == ours
