"""What the tests of the Comestri dialect share: requests in words, and the job of the product's own document.

Invariants: nothing here touches a database; the documented job is folded from its four imported transitions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from api.dialects.comestri import comestri
from api.dialects.dialect import Dialect
from api.operation import Asked, Operation, Principal, Said, Scope
from ledger.events import Created, Envelope, Event, Queued, Started, Succeeded
from ledger.job import Job
from projections.question import Page, Query
from tests.fix_gogrid import NOW, folded

GOLDEN = Path(__file__).parent / "golden" / "comestri"
JOBS = "/api/v2/jobs"
SYDNEY: Dialect = comestri("+10:00", "Pending")
WRITER = Principal(
    "k", "test@fusionfactory.com", "demo", frozenset({Scope.JOBS_READ, Scope.JOBS_WRITE})
)
CREATED_AT = datetime(2016, 5, 30, 4, 55, 57, 316_000, UTC)
ENDED_AT = datetime(2016, 5, 30, 4, 55, 58, 671_000, UTC)


def asked(query: str = "", **fields: Any) -> Asked:
    """A request with a credential."""
    pairs = parse_qsl(query, keep_blank_values=True)
    given = {
        "method": "GET",
        "path": JOBS,
        "query": tuple(pairs),
        "now": NOW,
        "principal": WRITER,
        "base_url": "http://ledger",
        "request_id": "r-1",
    }
    return Asked(**{**given, **fields})


def operation(name: str, dialect: Dialect = SYDNEY) -> Operation:
    """The operation of this id."""
    return next(one for one in dialect.operations if one.id == name)


def index(query: str = "") -> Query:
    """The question of an index."""
    question = operation("indexJobs").ask(asked(query))
    assert isinstance(question, Query)
    return question


def values(query: Query) -> dict[str, Any]:
    """The conditions of a query by the name of their filter."""
    found = {condition.filter.name: condition.values for condition in query.conditions}
    assert len(found) == len(query.conditions)
    return found


def indexed(found: Page, query: str = "", dialect: Dialect = SYDNEY) -> Said:
    """What an index answers."""
    return operation("indexJobs", dialect).tell(asked(query), found)


def entry(job: Job, dialect: Dialect = SYDNEY) -> dict[str, Any]:
    """A job as an index has it."""
    [told] = json.loads(indexed(page(job), dialect=dialect).body)["entries"]
    shown: dict[str, Any] = told
    return shown


def page(*jobs: Job, total: int | None = None) -> Page:
    """A page of a list."""
    return Page(jobs, None, len(jobs) if total is None else total, position=99)


def posted(body: object, **headers: str) -> Asked:
    """A POST of a new job."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    ids = iter(UUID(int=number) for number in range(1, 9))
    return asked(method="POST", body=text, headers=headers, new_id=lambda: next(ids))


def documented(project: str = "demo") -> tuple[tuple[Event, Envelope], ...]:
    """The four transitions of job 429, as an import writes them: its document has a time for the first and the last."""
    birth = Created(
        number=429,
        type="Category",
        command="insert",
        owner="test@fusionfactory.com",
        request_id="2e2b36a6-e6f7-42ae-a388-e53bfa2626be",
        created_at=CREATED_AT,
    )

    def imported(at: datetime | None = None) -> Envelope:
        return Envelope(project, "import", occurred_at=at, imported=True)

    return (
        (birth, imported(CREATED_AT)),
        (Queued(), imported()),
        (Started(), imported()),
        (Succeeded(), imported(ENDED_AT)),
    )


def documented_job() -> Job:
    """Job 429."""
    return folded(documented())
