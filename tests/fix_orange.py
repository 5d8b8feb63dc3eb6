"""What the tests of the Orange dialect share: requests in words, the document's schemas, and jobs by their state.

Invariants: nothing here touches a database; every answer that is read here is held to the schema first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator

from api.dialects.orange import ORANGE
from api.operation import Asked, Operation, Principal, Said, Scope
from ledger.events import Canceled, Created, Event, Failed, FailureKind, Queued, Started, Succeeded
from ledger.job import Job
from projections.question import Page, Query
from tests.fix_gogrid import NOW, live

GOLDEN = Path(__file__).parent / "golden" / "orange"
JOBS = "/projects/demo/jobs"
READER = Principal("k", "reader", "demo", frozenset({Scope.JOBS_READ}))
RETRY = Failed(final=False)

# Lives of a job -> the state that Orange shows.
LIVES: tuple[tuple[tuple[Event, ...], str], ...] = (
    ((), "acknowledged"),
    ((Queued(),), "acknowledged"),
    ((Started(),), "in-progress"),
    ((Started(), RETRY), "in-progress"),
    ((Started(), RETRY, Queued()), "acknowledged"),
    ((Started(), Succeeded()), "completed"),
    ((Started(), Failed()), "failed"),
    ((Started(), RETRY, Failed()), "failed"),
    ((Started(), Failed(kind=FailureKind.ITEM_ERRORS)), "failed"),
    ((Failed(kind=FailureKind.REJECTED),), "failed"),
    ((Canceled(),), "failed"),
    ((Started(), Canceled()), "failed"),
)


def asked(query: str = "", **fields: Any) -> Asked:
    """A request with a credential."""
    pairs = parse_qsl(query, keep_blank_values=True)
    given = {
        "method": "GET",
        "path": JOBS,
        "query": tuple(pairs),
        "path_params": {"projectId": "demo"},
        "now": NOW,
        "principal": READER,
        "base_url": "http://ledger",
        "request_id": "r-1",
    }
    return Asked(**{**given, **fields})


def operation(name: str) -> Operation:
    """The operation of this id."""
    return next(one for one in ORANGE.operations if one.id == name)


def listed(query: str = "") -> Query:
    """The question of a list."""
    question = operation("findJobs").ask(asked(query))
    assert isinstance(question, Query)
    return question


def values(query: Query) -> dict[str, Any]:
    """The conditions of a query by the name of their filter."""
    found = {condition.filter.name: condition.values for condition in query.conditions}
    assert len(found) == len(query.conditions)
    return found


def told(*jobs: Job, total: int | None = None) -> Said:
    """What a list answers."""
    page = Page(jobs, None, len(jobs) if total is None else total, position=99)
    return operation("findJobs").tell(asked(), page)


def items(body: bytes) -> list[dict[str, Any]]:
    """A list, held to the document's schema."""
    return held(body, "jobs.schema.json")  # type: ignore[no-any-return]


def fault(body: bytes) -> dict[str, Any]:
    """A refusal, held to the document's schema."""
    return held(body, "fault.schema.json")  # type: ignore[no-any-return]


def held(body: bytes, name: str) -> Any:
    """JSON of this schema."""
    schema = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    found = json.loads(body)
    Draft202012Validator(schema).validate(found)
    return found


def item(job: Job) -> dict[str, Any]:
    """A job as a list has it."""
    [shown] = items(told(job).body)
    return shown


def a_job(*events: Event, **fields: Any) -> Job:
    """A job with a description, and what happened to it."""
    birth = {"number": 7, "type": "VirtualServer", "owner": "ann", "description": "Make it"}
    return live(Created(**{**birth, **fields}), *events)
