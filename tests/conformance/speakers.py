"""SPEAKERS: what a dialect must tell the conformance suite of itself, one row each; everything else the suite finds in DIALECTS and OPERATIONS.

Invariants: every operation that takes a paging word has a row in `lists`; every other query parameter of such an operation is in `filters` (or
goes by the ledger's own name), in `paging`, or in `idle` when it narrows nothing. Statuses are those of the product's own document."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree as ET

from ledger.settings import BATCH_PAGE_ITEMS_MAX
from tests.conformance.paging import (
    Listing,
    Response,
    Words,
    each,
    linked,
    numbered,
    offset,
    tokens,
)
from tests.conformance.population import Made
from tests.conformance.stage import Stage
from tests.fix_fullstory import over

# Asked of every list by the laws of time travel: they choose when, not what.
WHEN = frozenset({"as_of", "as_of_kind", "as_of_position"})
# Lists that have something only once commands were refused, or that grow by whoever asks: tests/api/test_refusals.py,
# tests/projections/test_audit.py and tests/api/test_keyring.py page them.
ELSEWHERE = frozenset({"auditRefusals", "listKeys"})


@dataclass(frozen=True)
class Filtering:
    """What a parameter asks: the word that a job is found by (None: by none), and whether a job is found by a word."""

    word: Callable[[Made], str | None]
    finds: Callable[[Made, str], bool]


@dataclass(frozen=True)
class Refusals:
    """The status of each mistake that a caller can make. None: it cannot be made in this dialect."""

    credential: int = 401
    scope: int = 403
    path: int = 404
    verb: int = 405
    job: int | None = 404
    parameter: int | None = 422
    body: int | None = None
    move: int | None = None


@dataclass(frozen=True)
class Speaker:
    """A row of SPEAKERS. `always` goes with every request; `move` is an operation with a body that asks what the job's state does not allow;
    `faulty` is an operation with a parameter that does not fit."""

    refusals: Refusals = Refusals()
    lists: Mapping[str, Listing] = field(default_factory=dict)
    filters: Mapping[str, Filtering] = field(default_factory=dict)
    idle: frozenset[str] = frozenset()
    always: Words = ()
    faulty: tuple[str, Words] | None = None
    move: tuple[str, Callable[[Made], Any]] | None = None


PAGING = frozenset(
    {"page", "offset", "cursor", "after", "limit", "num_items", "per_page", "recordsPerPage"}
    | {"page_token", "count", "recordsCount", "sort", "min_position", "include_schema"}
)


def _rows(answer: Response) -> list[str]:
    return [json.dumps(row, sort_keys=True) for row in answer.json()["rows"]]


def _grid_names(answer: Response) -> list[str]:
    text = answer.text
    match answer.headers["content-type"].partition("/")[2].partition(";")[0]:
        case "xml":
            things = ET.fromstring(text).findall("response/list/object")
            return [str(one.findtext("attribute[@name='id']")) for one in things]
        case "csv":
            return [row[0] for row in csv.reader(io.StringIO(text)) if not row[0].startswith("#")]
        case _:
            return [str(one["id"]) for one in answer.json()["list"]]


def _grid_total(answer: Response) -> int | None:
    return (
        int(answer.json()["summary"]["total"]) if "json" in answer.headers["content-type"] else None
    )


def _is(name: str) -> Filtering:
    return Filtering(
        lambda made: getattr(made, name), lambda made, word: getattr(made, name) == word
    )


def _lived(name: str) -> Filtering:
    return Filtering(
        lambda made: getattr(made.life, name), lambda made, word: getattr(made.life, name) == word
    )


def _time(
    name: str, wanted: Callable[[datetime, datetime], bool], timespec: str = "microseconds"
) -> Filtering:
    return Filtering(
        lambda made: getattr(made, name).isoformat(timespec=timespec).replace("+00:00", "Z"),
        lambda made, word: wanted(getattr(made, name), datetime.fromisoformat(word)),
    )


def _since(at: datetime, bound: datetime) -> bool:
    return at >= bound


def _until(at: datetime, bound: datetime) -> bool:
    return at <= bound


def _until_told(at: datetime, bound: datetime) -> bool:
    """Where answers are rounded down to milliseconds, a range that ends in one holds all of it."""
    return at < bound + timedelta(milliseconds=1)


def _milliseconds(wanted: Callable[[datetime, datetime], bool]) -> Filtering:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return Filtering(
        lambda made: str((made.created - epoch) // timedelta(milliseconds=1)),
        lambda made, word: wanted(made.created, epoch + timedelta(milliseconds=int(word))),
    )


# The ledger's own filters, by which a dialect's extras go too.
OWN: Mapping[str, Filtering] = {
    **{name: _is(name) for name in ("type", "command", "object", "owner", "request_id", "source_id", "number", "id")},
    **{name: _lived(name) for name in ("state", "outcome", "phase")},
    "created_from": _time("created", _since), "created_to": _time("created", _until),
    "updated_from": _time("updated", _since), "updated_to": _time("updated", _until),
}  # fmt: skip


def _batch(failing: bool) -> Callable[[Stage], tuple[str, list[str]]]:
    """A batch of more items than a page of results holds, every second of which fails."""

    def made(stage: Stage) -> tuple[str, list[str]]:
        client = stage.server.client_of(stage.project)
        word = f"{stage.project} {failing} {uuid4()}"
        items: list[dict[str, Any]] = [
            {
                "name": f"job.{event}",
                "properties": {
                    "job": f"{word} {nth}",
                    **({"type": "T"} if event == "created" else {}),
                },
            }
            for nth in range(BATCH_PAGE_ITEMS_MAX + 10)
            for event in ("created", "succeeded")
        ]
        taken = client.post("/v2/events/batch", json={"requests": items}).raise_for_status().json()
        over(client, taken["job"]["id"])
        return taken["job"]["id"], [one["properties"]["job"] for one in items[int(failing) :: 2]]

    return made


def _batch_names(answer: Response) -> list[str]:
    found = [one.get("event", one) for one in answer.json()["results"]]
    return [str(one["properties"]["job"]) for one in found]


_GRID_LIST = Listing(
    _grid_names,
    **numbered("page", "num_items", 0),
    total=_grid_total,
    words=(("startdate", "2020-01-01"),),
)
_GRID_TABLE = Listing(
    _grid_names,
    **numbered("page", "num_items", 0),
    of=None,
    total=_grid_total,
    words=(("lookup", "lookups"),),
)
_AUDITED: dict[str, Any] = {**linked(header=False), "stable": False, "of": None}
_FEED = Listing(each("events", "position"), **linked(), of=None)

SPEAKERS: Mapping[str, Speaker] = {
    "native": Speaker(
        Refusals(body=400, move=409),
        lists={
            "listJobs": Listing(each("jobs", "number"), **linked(), total=lambda answer: int(answer.json()["total"]),
                                words=(("count", "exact"),)),
            "getEvents": _FEED, "getJobEvents": _FEED,
            "auditActions": Listing(each("events", "position"), **_AUDITED),
            "auditStays": Listing(_rows, **_AUDITED, words=(("state", "Created"),)),
            "auditStuck": Listing(_rows, **_AUDITED, words=(("state", "Created"), ("longer_than", "0"))),
        },
        faulty=("listJobs", (("limit", "many"),)),
        move=("addJobEvents", lambda made: {"event": "progressed", "progress": 0.5}),
    ),
    "gogrid": Speaker(
        Refusals(credential=403, scope=401, verb=404, job=400, parameter=400),
        lists={"getJobList": _GRID_LIST, "postJobList": _GRID_LIST, "getLookupList": _GRID_TABLE, "postLookupList": _GRID_TABLE},
        filters={
            "job.state": _lived("grid"),
            "job.objecttype": _is("type"),
            "startdate": _milliseconds(_since),
            "enddate": _milliseconds(_until_told),
        },
        idle=frozenset({"datacenter", "format", "v", "lookup", "asc", "api_key", "sig"}),
        always=(("v", "1.8"),),
        faulty=("getJobList", (("num_items", "many"),)),
    ),
    "comestri": Speaker(
        Refusals(verb=404, body=422),
        lists={"indexJobs": Listing(each("entries", "id"), **numbered("page", "per_page", 1), total=lambda a: int(a.json()["total_entries"]))},
        filters={
            "id": _is("number"),
            "created_by": _is("owner"),
            "created_time_from": _time("created", _since, "milliseconds"), "created_time_to": _time("created", _until_told, "milliseconds"),
            "updated_time_from": _time("updated", _since, "milliseconds"), "updated_time_to": _time("updated", _until_told, "milliseconds"),
        },
        faulty=("indexJobs", (("per_page", "many"),)),
    ),
    "orange": Speaker(
        Refusals(parameter=400),
        lists={
            "findJobs": Listing(lambda answer: [one["id"] for one in answer.json()], **offset(), of="id",
                                total=lambda answer: int(answer.headers["x-total-count"]))
        },
        filters={"state": _lived("phase"), "resource": _is("object")},
        faulty=("findJobs", (("limit", "many"),)),
    ),
    "geoop": Speaker(
        Refusals(body=400, move=422),
        lists={
            "getJobs": Listing(each("jobs", "id"), **numbered("page", "recordsPerPage", 1),
                               total=lambda answer: int(answer.json()["metadata"]["recordsCount"]))
        },
        faulty=("getJobs", (("recordsPerPage", "many"),)),
        move=("patchJob", lambda made: {"id": int(made.number), "status": "Created"}),
    ),
    "fullstory": Speaker(
        Refusals(verb=404, parameter=400, body=400),
        lists={
            "getBatchEventsImports": Listing(_batch_names, **tokens(), subject=_batch(failing=False)),
            "getBatchEventsImportErrors": Listing(_batch_names, **tokens(), subject=_batch(failing=True)),
        },
        faulty=("getBatchEventsImports", (("page_token", "many"),)),
    ),
    "openlineage": Speaker(Refusals(job=None, parameter=None, body=400)),
}  # fmt: skip
