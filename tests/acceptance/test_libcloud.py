"""Apache Libcloud's GoGrid driver, unmodified, against the running server: signed requests over TCP, and the exceptions its users know.

Invariants: the driver is the last release that has one; every request is signed by it, with its own clock."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httpx2 as httpx
import pytest
from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import InvalidCredsError
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

from api.dialects.gogrid.models import JobsOut
from api.operation import Scope
from tests.fix_server import LiveServer

GET, LIST = "/api/grid/job/get", "/api/grid/job/list"

Driver = Callable[..., Any]


@pytest.fixture
def driver(live_server: LiveServer) -> Driver:
    """Libcloud's driver for an api_key and its shared secret; by default of a new key that may read."""

    def made(
        api_key: str = "", secret: str = "", *, scopes: tuple[Scope, ...] = (Scope.JOBS_READ,)
    ) -> Any:
        if not api_key:
            api_key, secret = live_server.make_key("demo", scopes, signing=True)
        gogrid = get_driver(Provider.GOGRID)
        return gogrid(api_key, secret, secure=False, host=live_server.host, port=live_server.port)

    return made


def record(client: httpx.Client, *events: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A job with what happened to it."""
    answer = client.post("/v1/projects/demo/jobs", json={"type": "VirtualServer", **fields})
    assert answer.status_code == HTTPStatus.CREATED, answer.text
    job: dict[str, Any] = answer.json()
    for event in events:
        answer = client.post(f"/v1/projects/demo/jobs/{job['id']}/events", json=event)
        assert answer.status_code == HTTPStatus.OK, answer.text
        job = answer.json()
    return job


def ask(driver: Any, path: str, **params: Any) -> dict[str, Any]:
    """What libcloud makes of the answer: it believes only status success."""
    answer = driver.connection.request(path, params=params).object
    if path.startswith("/api/grid/"):
        JobsOut.model_validate(answer)
    found: dict[str, Any] = answer
    return found


def test_libcloud_gets_and_lists_jobs(live_server: LiveServer, driver: Driver) -> None:
    client, gogrid = live_server.client, driver()
    first = record(client, {"event": "queued"}, {"event": "started", "note": "worker 7"}, {"event": "succeeded"},
                   command="CreateVirtualServer", object="test 2", owner="ankit@gogrid.com",
                   detail={"type": "virtual_server", "name": "test 2"})  # fmt: skip
    second = record(
        client,
        {"event": "failed", "kind": "rejected"},
        command="DeleteVirtualServer",
        object="web é",
    )

    got = ask(gogrid, GET, id=first["number"])
    assert got["summary"] == {"total": 1, "start": 0, "numpages": 0, "returned": 1}
    [job] = got["list"]
    assert (job["id"], job["owner"], job["attempts"]) == (first["number"], "ankit@gogrid.com", 1)
    assert job["command"]["id"] == 6
    assert [entry["state"]["id"] for entry in job["history"]] == [7, 1, 2, 3]
    assert [entry.get("note") for entry in job["history"]] == [None, None, "worker 7", None]
    assert job["history"][-1]["updatedon"] == job["lastupdatedon"] >= job["createdon"]

    listed = ask(gogrid, LIST)
    assert [one["id"] for one in listed["list"]] == [second["number"], first["number"]]
    assert listed["list"][1] == job
    assert listed["list"][0]["currentstate"]["name"] == "Fatal"
    assert listed["summary"] == {"total": 2, "start": 0, "numpages": 1, "returned": 2}
    assert ask(gogrid, GET, job="web é")["list"] == listed["list"][:1]


LISTED: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "cba"),
    ({"num_items": 1}, "c"),
    ({"num_items": 1, "page": 2}, "a"),
    ({"num_items": 2, "page": 1}, "a"),
    ({"num_items": 5, "page": 7}, ""),
    ({"job.state": "Queued"}, "b"),
    ({"job.state": 7}, "ca"),
    ({"job.state": ["1", "Created"]}, "cba"),
    ({"job.objecttype": "2"}, "b"),
    ({"job.objecttype": "Category"}, "c"),
    ({"job.objecttype": ["Category", 1]}, "ca"),
    ({"owner": "me"}, "a"),
    ({"object": "b"}, "b"),
    ({"object": "nothing"}, ""),
    ({"enddate": "2009-01-03"}, ""),
    ({"startdate": "01/03/09", "enddate": "now"}, "cba"),
    ({"startdate": "2009-01-03 18:34:04.632 +01:00"}, "cba"),
    ({"startdate": "1231007644632", "job.state": 1, "owner": "demo-client"}, "b"),
)


def test_libcloud_lists_by_every_parameter(live_server: LiveServer, driver: Driver) -> None:
    client, gogrid = live_server.client, driver()
    jobs = (
        record(client, object="a", owner="me"),
        record(client, {"event": "queued"}, object="b", type="LoadBalancer"),
        record(client, object="c", type="Category"),
    )
    names = {job["number"]: job["object"] for job in jobs}
    for params, expected in LISTED:
        found = ask(gogrid, LIST, **params)
        assert "".join(names[one["id"]] for one in found["list"]) == expected, params


def test_libcloud_lists_the_lookup_tables(driver: Driver) -> None:
    gogrid = driver()
    assert [location.name for location in gogrid.list_locations()] == [
        "US-West-1",
        "US-East-1",
        "EU-West-1",
    ]
    states = ask(gogrid, "/api/common/lookup/list", lookup="job.state", sort="name")
    assert [state["name"] for state in states["list"]][:2] == ["Canceled", "Created"]


def test_libcloud_posts_what_it_asks(live_server: LiveServer, driver: Driver) -> None:
    record(live_server.client, object="web")
    gogrid = driver()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = gogrid.connection.request(LIST, data="object=web", headers=form, method="POST").object
    assert answer["summary"]["total"] == 1
    answer = gogrid.connection.request(
        LIST, data="object=other", headers=form, method="POST"
    ).object
    assert answer["summary"]["total"] == 0


def test_a_wrong_secret_is_invalid_credentials(live_server: LiveServer, driver: Driver) -> None:
    api_key, secret = live_server.make_key("demo", (Scope.JOBS_READ,), signing=True)
    for wrong in ((api_key, f"{secret}x"), (api_key[::-1], secret), ("nobody", "nothing")):
        with pytest.raises(InvalidCredsError, match="Invalid credentials"):
            ask(driver(*wrong), LIST)
    assert ask(driver(api_key, secret), LIST)["status"] == "success"


def test_a_key_that_may_not_read_has_insufficient_rights(driver: Driver) -> None:
    gogrid = driver(scopes=(Scope.JOBS_WRITE,))
    for path in (GET, LIST, "/api/common/lookup/list"):
        with pytest.raises(InvalidCredsError, match="insufficient rights"):
            ask(gogrid, path, id=1, lookup="job.state")


def test_an_unknown_job_is_told_in_the_words_that_clients_look_for(
    live_server: LiveServer, driver: Driver
) -> None:
    with pytest.raises(BaseHTTPError, match="No object found") as refused:
        ask(driver(), GET, id=60531)
    assert refused.value.code == HTTPStatus.BAD_REQUEST


def test_a_job_of_another_project_is_unknown(live_server: LiveServer, driver: Driver) -> None:
    job = record(live_server.client, object="web")
    stranger = driver(*live_server.make_key("other", (Scope.JOBS_READ,), signing=True))
    for name in ({"id": job["number"]}, {"job": "web"}):
        with pytest.raises(BaseHTTPError, match="No object found"):
            ask(stranger, GET, **name)
    assert ask(stranger, LIST)["list"] == []


def test_bad_input_and_unknown_methods_are_told_apart(driver: Driver) -> None:
    gogrid = driver()
    with pytest.raises(BaseHTTPError, match="num_items") as refused:
        ask(gogrid, LIST, num_items="many")
    assert refused.value.code == HTTPStatus.BAD_REQUEST
    with pytest.raises(BaseHTTPError, match="Nothing is served") as refused:
        gogrid.list_nodes()
    assert refused.value.code == HTTPStatus.NOT_FOUND


def test_another_verb_is_a_method_that_does_not_exist(live_server: LiveServer) -> None:
    for verb in ("PUT", "DELETE", "PATCH"):
        answer = live_server.client.request(verb, f"{LIST}?format=xml")
        assert answer.status_code == HTTPStatus.NOT_FOUND
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        assert "Not Found" in answer.text


def test_a_query_that_cannot_be_read_is_refused_in_gogrid_s_words(live_server: LiveServer) -> None:
    for query in ("%ff", "a=%00", "format=csv&x=%C3%28"):
        answer = live_server.client.get(f"{LIST}?{query}")
        assert answer.status_code == HTTPStatus.BAD_REQUEST, query
        assert "IllegalArgumentException" in answer.text
