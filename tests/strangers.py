"""What a tenant's credential can try against another tenant, made from OPERATIONS so that a new operation is tried too.

Invariants: each probe has a control that differs only in naming something that nobody has; their answers must be equal once the names are taken
out, so that a thing of the other tenant cannot be told from nothing. An operation with a body needs a row in BODIES, or its probes cannot be made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import UUID

from api.dialects.dialect import Dialect
from api.operation import Operation, Parameter, Scope
from api.operations import OPERATIONS

JSON = dict[str, Any]


@dataclass(frozen=True)
class Things:
    """What may be named: all that belongs to one job of a tenant, and the tenant itself."""

    project: str
    id: str
    number: int
    request_id: str
    source_id: str
    object: str
    owner: str
    type: str
    command: str
    cursor: str
    key: str
    batch: str
    position: int
    key_id: str = "0123456789abcdef"

    @property
    def words(self) -> tuple[str, ...]:
        """Every name, longest first, so that taking them out of a text leaves no part of one."""
        fields = (getattr(self, name) for name in self.__dataclass_fields__)
        return tuple(sorted(map(str, fields), key=len, reverse=True))


@dataclass(frozen=True)
class Probe:
    """One request. `what` says which of the other tenant's things it tries."""

    dialect: Dialect
    operation: Operation
    what: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None

    def __str__(self) -> str:
        return f"{self.dialect.name} {self.operation.id} {self.what}"


def run_event(run: str, thing: Things) -> JSON:
    return {
        "eventType": "START",
        "eventTime": "2026-01-01T00:00:00Z",
        "run": {"runId": run},
        "job": {"namespace": thing.type, "name": thing.object},
        "producer": "https://example.com/producer",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }


def _native_jobs(t: Things) -> Iterator[JSON]:
    for field in ("number", "request_id", "source_id", "owner", "object"):
        yield {"type": "T", field: getattr(t, field)}
    yield {"jobs": [{"type": "T", "source_id": t.source_id}, {"type": "T", "number": t.number}]}


def _native_said(t: Things) -> Iterator[JSON]:
    yield from ({"event": word} for word in ("queued", "canceled", "succeeded", "noted"))
    yield {"events": [{"event": "noted", "note": "n"}, {"event": "canceled"}]}


def _native_events(t: Things) -> Iterator[JSON]:
    for word in ("queued", "canceled", "noted", "succeeded"):
        yield {"events": [{"event": word, "job": t.id}]}


def _geoop_changes(t: Things) -> Iterator[JSON]:
    yield {"id": t.number, "status": {"id": 5}}
    yield {"jobs": [{"id": t.number, "status": {"id": 1}}]}
    yield {"jobs": [{"id": t.number, "note": "n"}]}


def _geoop_cancels(t: Things) -> Iterator[JSON]:
    yield {"id": t.number}
    yield {"jobs": [{"id": t.number}]}


def _geoop_jobs(t: Things) -> Iterator[JSON]:
    for field in ("number", "request_id", "source_id", "object"):
        yield {"type": "T", field: getattr(t, field)}
        yield {"jobs": [{"type": "T", field: getattr(t, field)}]}


def _batches(t: Things) -> Iterator[JSON]:
    for name in (t.id, str(t.number), t.source_id):
        yield {"requests": [{"name": "job.canceled", "properties": {"job": name}}]}


def _comestri_job(t: Things) -> Iterator[JSON]:
    job = {"entity": t.type, "operation": "insert", "data": [{"_request_data_id": t.source_id}]}
    yield {"job": job}
    yield {"job": {**job, "request_id": t.request_id}}


def _grid_get(t: Things) -> Iterator[JSON]:
    yield {"v": "1.0", "id": str(t.number)}
    yield {"v": "1.0", "job": t.object}


def _grid_list(t: Things) -> Iterator[JSON]:
    for field, word in (("owner", t.owner), ("object", t.object), ("job.objecttype", t.type)):
        yield {"v": "1.0", field: word}
    yield {"v": "1.0", "startdate": "2000-01-01"}


def _new_keys(_: Things) -> Iterator[JSON]:
    yield {"scopes": ["admin"], "name": "mine"}


# Bodies by operation id: those of reads that are POSTed are forms.
BODIES: Mapping[str, Callable[[Things], Iterator[Any]]] = {
    "createJobs": _native_jobs,
    "addJobEvents": _native_said,
    "addEvents": _native_events,
    "postJobGet": _grid_get,
    "postJobList": _grid_list,
    "postLookupList": lambda t: iter([{"v": "1.0", "lookup": "lookups"}]),
    "createJob": _comestri_job,
    "postJobs": _geoop_jobs,
    "patchJobs": _geoop_changes,
    "patchJob": _geoop_changes,
    "deleteJobs": _geoop_cancels,
    "postEvent": lambda t: iter([run_event(t.id, t), run_event(str(UUID(int=t.number)), t)]),
    "createBatchEventsImportJob": _batches,
    "createKey": _new_keys,
    "rotateKey": lambda t: iter([{}, {"overlap_hours": 0}]),
    "revokeKey": lambda t: iter([{}]),
    "postEventBatch": lambda t: iter([[run_event(t.id, t)]]),
}
NAMES = ("id", "batch", "number", "request_id", "source_id", "object", "key_id")
PROJECTS = ("project", "projectId")
# What a place in a path may be tried with, where not every name fits.
PLACES: Mapping[str, tuple[str, ...]] = {"position": ("position", "number")}
# Parameters that hold no name: what is tried is whether totals, orders and windows let anything through.
PLAIN: Mapping[str, tuple[str, ...]] = {
    "count": ("exact",),
    "after": ("0",),
    "limit": ("1000",),
    "offset": ("0", "1"),
    "page": ("1",),
    "sort": ("created", "-updated", "state", "createdDate", "-state"),
    "recordsCount": ("true",),
    "per_page": ("500",),
    "startdate": ("2000-01-01",),
    "state": ("Created", "Queued", "acknowledged"),
    "job.state": ("Queued", "Created"),
    "outcome": ("Created", "Queued"),
    "phase": ("acknowledged",),
    "min_position": ("1",),
    "before": ("1000",),
    "created_from": ("2000-01-01T00:00:00Z",),
    "created_time_from": ("2000-01-01T00:00:00Z",),
    "updated_from": ("2000-01-01T00:00:00Z",),
    "updated_to": ("2100-01-01T00:00:00Z",),
    "as_of": ("0", "2", "2000-01-01T00:00:00Z"),
}


def probes(mine: str, theirs: Things) -> Iterator[Probe]:
    """Every way to name a thing of `theirs` with a credential of project `mine`."""
    for dialect, operation in OPERATIONS:
        if operation.scope is not Scope.PUBLIC:
            yield from _of(dialect, operation, mine, theirs)


def _of(dialect: Dialect, operation: Operation, mine: str, theirs: Things) -> Iterator[Probe]:
    always = (("v", "1.0"),) if dialect.name == "gogrid" and operation.method == "GET" else ()
    asked = [p for p in operation.parameters if p.where == "query"]
    for path, place in _paths(operation, mine, theirs):
        bodies = list(BODIES[operation.id](theirs)) if operation.body else [None]
        for nth, body in enumerate(bodies):
            what = f"{place} body {nth}" if body is not None else place
            yield Probe(dialect, operation, what, path, always, body=body)
            if any(p.name == "Idempotency-Key" for p in operation.parameters):
                headers = (("Idempotency-Key", theirs.key),)
                yield Probe(dialect, operation, f"{what} key", path, always, headers, body)
        for form in _forms(operation):
            yield Probe(dialect, operation, f"{place} as {form}", path, always, (("Accept", form),))
        yield Probe(dialect, operation, f"{place} claimed", path, always, (("Ledger-Project", theirs.project),),
                    bodies[0])  # fmt: skip
        for one in asked:
            named = list(_named(one, theirs))
            for value in (*named, *PLAIN.get(one.name, ())):
                query = (*always, (one.name, value))
                yield Probe(dialect, operation, f"{place} {one.name}={value}", path, query)
                if operation.past is not None and value in named:
                    what = f"{place} {one.name}={value} as of"
                    yield Probe(dialect, operation, what, path, (*query, ("as_of", "2")))


def _forms(operation: Operation) -> tuple[str, ...]:
    """The media types in which it can be taken out."""
    [answer] = operation.replies[:1]
    return answer.media_types if operation.method == "GET" and len(answer.media_types) > 1 else ()


def _named(one: Parameter, theirs: Things) -> Iterator[str]:
    """The names that a parameter can take."""
    name = one.name.removeprefix("job.")
    known = {"objecttype": "type", "resource": "object", "created_by": "owner", "job": "object"}
    field = known.get(name, name)
    if field in ("id", "number"):
        yield from (str(theirs.number), theirs.id)
    elif field in theirs.__dataclass_fields__:
        yield str(getattr(theirs, field))


def _paths(operation: Operation, mine: str, theirs: Things) -> Iterator[tuple[str, str]]:
    """The path with each combination of projects and names in it."""
    words = re.findall(r"{(\w+)}", operation.path)
    choices = [
        (mine, theirs.project) if word in PROJECTS else PLACES.get(word, NAMES) for word in words
    ]
    for chosen in product(*choices):
        path, place = operation.path, []
        for word, choice in zip(words, chosen, strict=True):
            value = choice if word in PROJECTS else str(getattr(theirs, choice))
            path = path.replace(f"{{{word}}}", value)
            place.append(choice)
        yield path, " ".join(place)
