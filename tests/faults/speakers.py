"""Speakers: how the load's clients create jobs and move them, natively and in two dialects.

Invariants: each says beforehand which events its request asks for; a job is moved only by the client that made it, and only as it may be, so
that no refusal is right. Units: none. Errors: KeyError for an answer that is not what the dialect says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.journal import Said

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request, and the events it asks for."""

    method: str
    path: str
    body: Json
    said: tuple[Said, ...]


@dataclass(frozen=True)
class Speaker:
    """`create(client, nth)` is the first request of a job, `moves(answer)` what follows upon its answer."""

    name: str
    create: Callable[[str, int], Request]
    moves: Callable[[Json], Iterator[Request]]


def _native_create(client: str, nth: int) -> Request:
    jobs = [
        {"type": "Fault", "owner": client, "object": f"{client} {nth} ä {part}"}
        for part in range(3)
    ]
    path = "/v1/projects/p/jobs"
    if nth % 10 == 0:
        return Request(
            "POST", path, {"jobs": jobs}, tuple(Said("job.created", job) for job in jobs)
        )
    return Request("POST", path, jobs[0], (Said("job.created", jobs[0]),))


def _native_moves(answer: Json) -> Iterator[Request]:
    for job in answer.get("jobs", [answer]):
        path = f"/v1/projects/p/jobs/{job['id']}/events"
        for event, fields in (
            ("queued", {}),
            ("started", {}),
            ("progressed", {"progress": 0.5}),
            ("succeeded", {}),
        ):
            said = Said(f"job.{event}", fields, job["id"])
            yield Request("POST", path, {"event": event, **fields}, (said,))


def _geoop_create(client: str, nth: int) -> Request:
    fields = {"type": "Fault", "owner": client, "object": f"{client} {nth}"}
    return Request(
        "POST", "/jobs", {**fields, "status": 1}, (Said("job.created", fields), Said("job.queued"))
    )


def _geoop_moves(answer: Json) -> Iterator[Request]:
    path = f"/jobs/{answer['jobs'][0]['id']}"
    yield Request("PATCH", path, {"status": 2}, (Said("job.started"),))
    progressed = Said("job.progressed", {"progress": 0.25})
    yield Request("PATCH", path, {"progress": 0.25}, (progressed,))
    yield Request("PATCH", path, {"status": "Canceled"}, (Said("job.canceled"),))


def _comestri_create(client: str, nth: int) -> Request:
    items = [{"sku": f"{client}-{nth}", "_request_data_id": nth}]
    fields = {"type": "Category", "owner": client, "command": "insert", "detail": {"data": items}}
    body = {"job": {"entity": "Category", "operation": "insert", "data": items}}
    return Request("POST", "/api/v2/jobs", body, (Said("job.created", fields), Said("job.queued")))


def _nothing(_: Json) -> Iterator[Request]:
    return iter(())


SPEAKERS: Mapping[str, Speaker] = {
    one.name: one
    for one in (
        Speaker("native", _native_create, _native_moves),
        Speaker("geoop", _geoop_create, _geoop_moves),
        Speaker("comestri", _comestri_create, _nothing),
    )
}
# Eight clients, by the speaker of each.
CLIENTS = ("native", "geoop", "native", "comestri", "native", "geoop", "native", "comestri")
