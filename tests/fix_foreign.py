"""What the tests of responses share: rows of a text, and the jobs that they fold to without a database.

Invariants: jobs are folded by ledger.job from the claims that would be saved, numbered and recorded as the ledger does it."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from api.transfer.foreign import SYSTEMS
from api.transfer.lines import Bad, Row
from ledger.events import Created, Recorded
from ledger.imported import Claim, History
from ledger.job import Job, fold
from tests.fix_gogrid import GOLDEN

LATER = datetime(2026, 6, 1, tzinfo=UTC)
# Far from the numbers that the responses have, so that a renumbered entry shows.
FIRST_POSITION = 1_000_001
# The one example in Orange's document, and the one in Comestri's.
SAMPLE: dict[str, Any] = {
    "id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "hRef": "string",
    "state": "acknowledged",
    "description": "string",
    "createdDate": "2024-10-02T15:25:04.024Z",
    "requesterId": "string",
    "startProcessingDate": "2024-10-02T15:25:04.024Z",
    "endProcessingDate": "2024-10-02T15:25:04.024Z",
    "messages": [{"code": 0, "message": "string", "description": "string"}],
}
ENTRY: dict[str, Any] = {
    "id": 429,
    "request_id": "2e2b36a6-e6f7-42ae-a388-e53bfa2626be",
    "entity": "Category",
    "status": "complete",
    "percent_completed": 1,
    "operation": "insert",
    "created_at": "2016-05-30T14:55:57.316+10:00",
    "updated_at": "2016-05-30T14:55:58.671+10:00",
    "created_by": "test@fusionfactory.com",
    "error_count": 0,
    "result": "Success",
}


def rows(system: str, text: str | bytes) -> list[Row]:
    """What is read of a response."""
    said = text if isinstance(text, bytes) else text.encode()
    return list(SYSTEMS[system].read(io.BytesIO(said)))


def histories(
    system: str, text: str | bytes, project: str | None = "demo"
) -> tuple[list[History], list[tuple[int, str]]]:
    """The histories of a response, and its rejects with line and reason."""
    telling = SYSTEMS[system].telling(project, "import:ann")
    found, bad = [], []
    for row in rows(system, text):
        try:
            found.append(telling.history(row))
        except Bad as error:
            bad.append((row.line, str(error)))
    return found, bad


def told(system: str, text: str | bytes, project: str | None = "demo") -> list[Job]:
    """The jobs of a response that has no rejects, in an empty ledger."""
    found, bad = histories(system, text, project)
    assert bad == []
    return [folded(history.claims, history.job_id) for history in found]


def folded(claims: Sequence[Claim], job_id: UUID, job: Job | None = None) -> Job:
    """The job that these claims make, of nothing or of a job."""
    recorded = []
    for nth, claim in enumerate(claims, job.version if job else 0):
        event = claim.event
        if isinstance(event, Created) and event.number is None:
            event = event.model_copy(update={"number": 77})
        envelope = claim.envelope._replace(occurred_at=claim.at)
        position = FIRST_POSITION + nth
        recorded.append(
            Recorded(position, UUID(int=position), job_id, nth + 1, LATER, envelope, event)
        )
    result = fold(recorded, job)
    assert result is not None
    return result


def again(system: str, text: str | bytes, job: Job, project: str | None = "demo") -> Job:
    """The job after a later response of it."""
    [history], bad = histories(system, text, project)
    assert bad == []
    assert history.beyond is not None
    return folded(history.beyond(job), job.id, job)


def golden(form: str) -> str:
    """GoGrid's own document of job 60531 in a format."""
    return (GOLDEN / f"job_60531.{form}").read_text(encoding="utf-8")


def gogrid_job(**fields: Any) -> dict[str, Any]:
    """Job 60531 with other fields."""
    job: dict[str, Any] = json.loads(golden("json"))["list"][0]
    return {**job, **fields}


def response(*jobs: dict[str, Any]) -> str:
    """GoGrid's list of these jobs."""
    return json.dumps({"list": jobs, "method": "/grid/job/list", "status": "success"})


def entry(nth: int, state: str, **more: Any) -> dict[str, Any]:
    """An entry of a history."""
    return {"id": nth, "state": {"name": state}, **more}
