"""Maintenance over HTTP: an operator switches it on under a running server, and every dialect says so in its own words."""

from __future__ import annotations

import time

import httpx2 as httpx
import psycopg

from api import maintenance
from api.dialects.gogrid.signature import sign
from api.maintenance import Refused
from api.operation import Scope
from tests.fix_comestri import JOBS as COMESTRI
from tests.fix_embedded import wait_until
from tests.fix_gogrid import LIST as GOGRID
from tests.fix_orange import JOBS as ORANGE
from tests.fix_orange import fault
from tests.fix_server import LiveServer

NATIVE = "/v1/projects/demo/jobs"


def turn(server: LiveServer, refused: Refused) -> None:
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        maintenance.switch(connection, refused, 90)


def test_every_dialect_says_that_it_is_in_maintenance(live_server: LiveServer) -> None:
    client = live_server.client
    api_key, secret = live_server.make_key("demo", [Scope.JOBS_READ], signing=True)

    def read(path: str) -> httpx.Response:
        sig = sign(api_key, secret, int(time.time()))
        signed = {"v": "1.9", "api_key": api_key, "sig": sig} if path == GOGRID else None
        return client.get(path, params=signed)

    def write() -> httpx.Response:
        return client.post(NATIVE, json={"type": "T"})

    reads = (NATIVE, GOGRID, COMESTRI, ORANGE)
    assert write().status_code == 201
    turn(live_server, "writes")
    wait_until(lambda: client.post(COMESTRI, json={}).status_code == 503)
    assert write().status_code == 503
    assert write().json()["code"] == "maintenance"
    assert [read(path).status_code for path in reads] == [200] * 4
    turn(live_server, "all")
    wait_until(lambda: read(NATIVE).status_code == 503)
    answers = {path: read(path) for path in reads}
    for answer in answers.values():
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "90")
    assert answers[NATIVE].json()["code"] == "maintenance"
    assert answers[GOGRID].json()["status"] == "failure"
    assert answers[COMESTRI].json()["error"] == "Service Unavailable"
    assert fault(answers[ORANGE].content)["code"] == 5
    for path in ("/livez", "/readyz", "/metrics", "/version", "/openapi.json", "/docs"):
        assert client.get(path).status_code == 200
    turn(live_server, "nothing")
    wait_until(lambda: client.post(COMESTRI, json={}).status_code == 422)
    assert write().status_code == 201
    assert [read(path).status_code for path in reads] == [200] * 4
    assert client.get(NATIVE, params={"count": "exact"}).json()["total"] >= 2
