"""A job as Orange answers it, read as history.

Invariants: Orange has no history, so an answer is one look at a job: its creation, its start and its end with their times, and the state. A step
that no answer tells is implied and has no time; an end's date counts only where the job ended, and a start's not where a job that was only
acknowledged has its creation's. A look that is behind the ledger adds nothing, one that is ahead what lies between. Errors: Bad."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote
from uuid import UUID

from pydantic import BeforeValidator, Field, ValidationError

from api.dialects.orange.item import item
from api.dialects.orange.item import told as date
from api.transfer import cells
from api.transfer.foreign.retelling import Origin, Retelling, Told, begun, differ
from api.transfer.lines import Bad, Row, sentence
from ledger.errors import Conflict, LedgerError
from ledger.events import (
    Canceled,
    Created,
    Event,
    Failed,
    Message,
    Moment,
    Started,
    Succeeded,
    Text,
    Word,
)
from ledger.imported import History
from ledger.job import Job, Phase, State
from ledger.settings import MESSAGES_MAX, WORD_BYTES_MAX

TYPE = "Job"  # Orange names no type of its jobs
_RANKS = {Phase.ACKNOWLEDGED: 0, Phase.IN_PROGRESS: 1, Phase.COMPLETED: 2, Phase.FAILED: 2}
_PROJECT = re.compile(r"/projects/([^/?#]+)/jobs/")
_CANCELED = re.compile(r"canceled by (.+)", re.DOTALL)


def _moment(said: Any) -> Any:
    try:
        return datetime.fromisoformat(said) if isinstance(said, str) else said
    except ValueError as error:
        raise ValueError(f"{cells.shown(said)} is no time in ISO 8601.") from error


Date = Annotated[Moment, BeforeValidator(_moment)]


class ToldJob(Told):
    """A job."""

    id: Annotated[UUID, BeforeValidator(_uuid)]
    hRef: str | None = None  # noqa: N815 - the product's spelling
    state: Annotated[Phase, Field(strict=False)]
    description: Text
    createdDate: Date  # noqa: N815
    requesterId: Word  # noqa: N815
    startProcessingDate: Date | None = None  # noqa: N815
    endProcessingDate: Date | None = None  # noqa: N815
    messages: Annotated[
        list[Message],
        BeforeValidator(lambda said: [] if said is None else said),
        Field(default_factory=list),
    ]


def _uuid(said: Any) -> Any:
    try:
        return UUID(said) if isinstance(said, str) else said
    except ValueError as error:
        raise ValueError(f"{cells.shown(said)} is no UUID.") from error


class OrangeJobs:
    """How Orange's jobs are read. `project` is where all go, None where each job's hRef says it."""

    def __init__(self, project: str | None, actor: str) -> None:
        self._project, self._actor = project, actor

    def history(self, row: Row) -> History:
        """What a job tells. Raises Bad."""
        if isinstance(row.cells, Bad):
            raise row.cells
        label = f"Job {cells.shown(row.cells.get('id'))}"
        try:
            told = ToldJob.model_validate(row.cells)
            origin = Origin(self._where(told), self._actor, row.line)
            return begun(lambda on, job: tell(told, on, job), origin, row, label, told.id)
        except ValidationError as error:
            raise Bad(f"{label}: {sentence(error)}") from error
        except LedgerError as error:
            raise Bad(f"{label}: {str(error).rstrip('.')}.") from error

    def _where(self, told: ToldJob) -> str:
        if self._project is not None:
            return self._project
        found = _PROJECT.search(told.hRef or "")
        project = unquote(found[1]) if found else ""
        if not project or not project.isprintable():
            raise Conflict("Its hRef names no project, and no --project was given.", version=0)
        return project


def tell(told: ToldJob, on: Retelling, job: Job | None) -> None:
    """Say what this look at the job adds, or all of it where there is none."""
    if job is None:
        creation = Created(type=TYPE, owner=told.requesterId, description=told.description)
        on.say(creation, told.createdDate)
    else:
        _check(told, job)
    if _lies_ahead(told, on.job):
        _go_on(told, on)
        return
    if job is None or _RANKS[told.state] == _RANKS[job.phase]:
        on.remark(_new_messages(told, on.job))


def _check(told: ToldJob, job: Job) -> None:
    """Raise Conflict when the ledger has another creation, start or end."""
    differ(
        {
            "requesterId": (told.requesterId, job.owner),
            "createdDate": (date(told.createdDate), date(job.created_at)),
            "description": (told.description, item(job, "")["description"]),
        }
    )
    start, end = _start(told), told.endProcessingDate
    if start is not None and job.started_at is not None and date(start) != date(job.started_at):
        raise Conflict("its startProcessingDate is another", version=job.version)
    if not job.absorbed or _RANKS[told.state] < 2:
        return
    if told.state is not job.phase or (
        None not in (end, job.ended_at) and date(end) != date(job.ended_at)
    ):
        raise Conflict(
            f"its end is {told.state.value} at another time or in another way", version=job.version
        )


def _lies_ahead(told: ToldJob, job: Job) -> bool:
    """Whether the answer tells a step that the ledger lacks."""
    if job.absorbed:
        return False
    if _waits_again(told):
        # It was taken up, and now waits: that lies behind a first start, but before a second one.
        return (job.attempts < 2 and job.state is not State.QUEUED) or job.attempts == 0
    return _RANKS[told.state] > _RANKS[job.phase]


def _start(told: ToldJob) -> datetime | None:
    """The time of the start. A job that was only acknowledged has its creation's there, since the document requires one."""
    start = told.startProcessingDate
    unstarted = told.state is Phase.ACKNOWLEDGED and start == told.createdDate
    return None if unstarted else start


def _waits_again(told: ToldJob) -> bool:
    return (
        told.state is Phase.ACKNOWLEDGED
        and _start(told) is not None
        and told.endProcessingDate is None
    )


def _go_on(told: ToldJob, on: Retelling) -> None:
    """From where the job stands to the state."""
    start, end = _start(told), told.endProcessingDate
    if start is not None and on.job.attempts == 0:
        on.say(Started(), start)
    match told.state:
        case Phase.ACKNOWLEDGED:
            on.imply_wait()
            on.remark(_new_messages(told, on.job))
        case Phase.IN_PROGRESS:
            on.imply_run()
            on.remark(_new_messages(told, on.job))
        case Phase.COMPLETED:
            on.imply_run()
            _end(Succeeded(), _new_messages(told, on.job), on, end)
        case Phase.FAILED:
            _fail(told, on, end)


def _fail(told: ToldJob, on: Retelling, end: datetime | None) -> None:
    messages = _new_messages(told, on.job)
    last = messages[-1] if messages else Message(message="")
    if (
        last.code == 0
        and (found := _CANCELED.fullmatch(last.message))
        and len(found[1].encode()) <= WORD_BYTES_MAX
    ):
        # So the ledger itself tells a cancellation, which Orange has no state for.
        on.remark(messages[:-1])
        on.say(Canceled(), end, actor=found[1], note=last.description)
        return
    if on.job.state is State.CREATED:
        on.imply_wait()
    _end(Failed(), messages, on, end)


def _end(event: Event, messages: Sequence[Message], on: Retelling, end: datetime | None) -> None:
    """Say the end, with as many of the last messages as it can hold."""
    on.remark(messages[:-MESSAGES_MAX])
    on.say(event.model_copy(update={"messages": tuple(messages[-MESSAGES_MAX:])}), end)


def _new_messages(told: ToldJob, job: Job) -> list[Message]:
    """The messages behind those that the ledger has. Raises Conflict when it has others."""
    there = [Message(**shown) for shown in item(job, "")["messages"]]
    count = min(len(there), len(told.messages))
    if list(told.messages[:count]) != there[:count]:
        raise Conflict("its messages are others", version=job.version)
    return list(told.messages[count:])
