"""What the tests of the GoGrid dialect share: requests in words, and jobs folded from events.

Invariants: nothing here touches a database; the job of the product's own documents is folded from its four imported transitions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID
from xml.etree import ElementTree as ET

from api.dialects.gogrid import GOGRID
from api.dialects.gogrid.models import JobsOut
from api.dialects.gogrid.words import FORM
from api.operation import Asked, Operation, Principal, Said, Scope
from ledger.events import Created, Envelope, Event, Json, Queued, Recorded, Started, Succeeded
from ledger.job import Job, fold
from projections.question import Page, Query

Objects = list[dict[str, Any]]

FORMATS = ("json", "xml", "csv")
GOLDEN = Path(__file__).parent / "golden" / "gogrid"
GET, LIST, LOOKUP = "/api/grid/job/get", "/api/grid/job/list", "/api/common/lookup/list"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JOB_ID = UUID("01890000-0000-7000-8000-000000060531")
SIGNED = "v=1.8&api_key=k&sig=" + "0" * 32
READER = Principal("k", "reader", "demo", frozenset({Scope.JOBS_READ}))

DETAIL: dict[str, Json] = {
    "type": "virtual_server",
    "description": "tests",
    "image": "w2k3_64_iis_asp_mssql2k5xp",
    "ip": "208.113.76.34",
    "name": "test 2",
}


def asked(path: str, query: str = "", *, form: str | None = None, **fields: Any) -> Asked:
    """A signed request: `query` beside the signature, a `form` makes it a POST."""
    posted: dict[str, Any] = {}
    if form is not None:
        posted = {"method": "POST", "body": form.encode(), "headers": {"content-type": FORM}}
    pairs = parse_qsl(f"{SIGNED}&{query}", keep_blank_values=True)
    given = {"method": "GET", "path": path, "query": tuple(pairs), "now": NOW, "principal": READER}
    return Asked(**{**given, **posted, **fields})


def spelt(**words: str) -> str:
    """A percent-encoded query."""
    return urlencode(words)


def operation(path: str, method: str = "GET") -> Operation:
    """The operation at a path."""
    return next(one for one in GOGRID.operations if (one.path, one.method) == (path, method))


def ask(path: str, query: str = "", **more: Any) -> Any:
    """The question that a request asks."""
    request = asked(path, query, **more)
    return operation(path, request.method).ask(request)


def tell(path: str, answer: Any, query: str = "", **more: Any) -> Said:
    """What is said back to a request."""
    request = asked(path, query, **more)
    return operation(path, request.method).tell(request, answer)


def values(query: Query) -> dict[str, Any]:
    """The conditions of a query by the name of their filter; the date it goes back to is left out."""
    found = {condition.filter.name: condition.values for condition in query.conditions}
    assert len(found) == len(query.conditions)
    del found["created_from"]
    return found


def listed(query: str = "", **more: Any) -> Query:
    """The question of a job/list."""
    question = ask(LIST, query, **more)
    assert isinstance(question, Query)
    return question


def moment(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def folded(history: Sequence[tuple[Event, Envelope]], position: int = 1) -> Job:
    """The job of some events, recorded a second apart up to NOW."""
    recorded = [
        Recorded(
            position=position + index,
            event_id=UUID(int=position + index),
            job_id=JOB_ID,
            version=index + 1,
            recorded_at=NOW - timedelta(seconds=len(history) - 1 - index),
            envelope=envelope,
            event=event,
        )
        for index, (event, envelope) in enumerate(history)
    ]
    job = fold(recorded)
    assert job is not None
    return job


def live(*events: Event, position: int = 1) -> Job:
    """The job of events that happened here, not imported."""
    return folded([(event, Envelope(project="demo", actor="worker")) for event in events], position)


def created(number: int = 7, **fields: Any) -> Created:
    given = {"number": number, "type": "VirtualServer", "owner": "ankit@gogrid.com"}
    return Created(**{**given, **fields})


def documented_job() -> Job:
    """Job 60531, as its four transitions are imported: only the last one had a time."""
    birth = created(
        60531,
        command="CreateVirtualServer",
        object="test 2",
        detail=DETAIL,
        created_at=moment(1231007644632),
    )
    ended_at = moment(1231008346317)

    def imported(source_id: str, occurred_at: datetime | None = None) -> Envelope:
        return Envelope(
            project="demo",
            actor="import",
            source_id=source_id,
            occurred_at=occurred_at,
            imported=True,
        )

    return folded(
        [
            (birth, imported("10242")),
            (Queued(), imported("10243")),
            (Started(), imported("10244")),
            (Succeeded(), imported("10251", ended_at)),
        ]
    )


def got(job: Job) -> dict[str, Any]:
    """A job as job/get tells it in JSON."""
    answer = tell(GET, (job,), f"id={job.number}")
    JobsOut.model_validate_json(answer.body)
    [shown] = as_objects(answer.body, "json")
    return shown


def page(*jobs: Job, total: int | None = None) -> Page:
    """A page of a list."""
    return Page(jobs, None, len(jobs) if total is None else total, position=99)


def as_objects(text: bytes, form: str) -> Objects:
    """Jobs or options read back as a client of the format reads them, in the shape of the JSON."""
    if form == "json":
        objects: Objects = json.loads(text)["list"]
        return objects
    if form == "xml":
        things = ET.fromstring(text).findall("response/list/object")
        return [_from_xml(thing) for thing in things]
    lines = io.StringIO(text.decode(), newline="")
    next(lines)
    columns = next(lines).removeprefix("# ").rstrip("\n").split(",")
    return [_from_csv(columns, row) for row in csv.reader(lines)]


def _from_xml(thing: ET.Element) -> dict[str, Any]:
    found: dict[str, Any] = {"object": thing.get("name")}
    for attribute in thing.findall("attribute"):
        inner, entries = attribute.find("object"), attribute.find("list")
        found[attribute.get("name", "")] = (
            _from_xml(inner)
            if inner is not None
            else [_from_xml(entry) for entry in entries]
            if entries is not None
            else attribute.text or ""
        )
    return found


def _from_csv(columns: list[str], row: list[str]) -> dict[str, Any]:
    assert len(row) == len(columns) + 1
    assert row[-1] == ""
    found: dict[str, Any] = {}
    for column, cell in zip(columns, row[:-1], strict=True):
        inner = found
        *path, last = column.split(".")
        for step in path:
            inner = inner.setdefault(step, {})
        inner[last] = cell
    return found
