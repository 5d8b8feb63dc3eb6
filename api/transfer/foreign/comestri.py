"""A job as Comestri answers it, read as history: an entry of an index, or a job by itself.

Invariants: Comestri has no history, so an answer is one look at a job: its creation, with its time, and the steps that its status proves. Only the
end of an ended job gets the time of its last change; a step that no answer tells is implied and has no time. An older look adds nothing, a newer
one what lies between; what is imported is told again as it was, or refused. Errors: Bad."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from api.dialects.comestri import entry as entries
from api.dialects.comestri import moments
from api.dialects.comestri.style import Style
from api.transfer import cells
from api.transfer.foreign import comestri_words
from api.transfer.foreign.comestri_words import ToldJob
from api.transfer.foreign.retelling import Origin, Retelling, begun, differ
from api.transfer.lines import Bad, Row, sentence
from ledger.errors import Conflict, LedgerError
from ledger.events import (
    Canceled,
    Created,
    Failed,
    FailureKind,
    ItemsReported,
    Json,
    Message,
    Noted,
    Progressed,
    Queued,
    Succeeded,
)
from ledger.imported import History
from ledger.job import Job, Outcome, State

_STYLE = Style(UTC, "Pending")
_ERRORS: dict[str, Json] = {"object_in_response": True}


class ComestriJobs:
    """How Comestri's jobs are read. All go to `project`."""

    def __init__(self, project: str | None, actor: str) -> None:
        assert project is not None, "Comestri names no project"
        self._project, self._actor = project, actor

    def history(self, row: Row) -> History:
        """What a job tells. Raises Bad."""
        if isinstance(row.cells, Bad):
            raise row.cells
        label = f"Job {cells.shown(row.cells.get('id'))}"
        try:
            told = ToldJob.model_validate(row.cells)
            _check(told)
            origin = Origin(self._project, self._actor, row.line)
            return begun(lambda on, job: tell(told, on, job), origin, row, label)
        except ValidationError as error:
            raise Bad(f"{label}: {sentence(error)}") from error
        except LedgerError as error:
            raise Bad(f"{label}: {str(error).rstrip('.')}.") from error


def _check(told: ToldJob) -> None:
    """Raise Conflict when status and result contradict each other."""
    expected = {"Success", "Failure"} if told.status == "complete" else {None, _result(told.status)}
    if told.status != "canceled" and told.result not in expected:
        raise Conflict(f"The status {told.status} has not the result {told.result}.", version=0)


def _result(status: str) -> str:
    return "Failure" if status in ("fail_to_receive", "fail_to_process") else "Pending"


def tell(told: ToldJob, on: Retelling, job: Job | None) -> None:
    """Say what this look at the job adds, or all of it where there is none."""
    if job is None:
        on.say(_creation(told), told.created_at)
    else:
        differ(
            {
                "created_by": (told.created_by, job.owner),
                "entity": (told.entity, job.type),
                "operation": (told.operation, job.command),
                "request_id": (told.request_id, job.request_id),
                "created_at": (_ms(told.created_at), _ms(job.created_at)),
            }
        )
    _tell_errors(told, on)
    if job is not None and _ms(told.updated_at) < _ms(job.updated_at):
        return
    _go_on(told, on)
    _check_told_again(told, on.job)
    if _ms(on.job.updated_at) != _ms(told.updated_at):
        on.say(Noted(), told.updated_at)


def _creation(told: ToldJob) -> Created:
    items = list(comestri_words.items(told))
    detail: dict[str, Json] | None = None
    if items:
        detail = {"options": _ERRORS} if comestri_words.shows_objects(told) else {}
        detail["data"] = [*items]
    return Created(
        number=told.id,
        request_id=told.request_id,
        type=told.entity,
        command=told.operation,
        owner=told.created_by,
        detail=detail,
    )


def _go_on(told: ToldJob, on: Retelling) -> None:
    """From where the job stands to the status."""
    job = on.job
    if entries.SHOWN[job.outcome][0] == told.status and not job.absorbed:
        if job.state is State.PROCESSING:
            _remark(told, on)
    elif _faults(told, job):
        _STEPS[told.status](told, on)


def _wait(told: ToldJob, on: Retelling) -> None:
    job = on.job
    if job.state is State.PROCESSING or (_ran(told) and job.state is State.CREATED):
        # Only a job that failed, but not for good, can wait after it ran.
        on.imply_run()
        _remark(told, on)
        on.imply(Failed(final=False))
    on.say(Queued())


def _run(told: ToldJob, on: Retelling) -> None:
    on.imply_run()
    _remark(told, on)


def _reject(told: ToldJob, on: Retelling) -> None:
    on.say(_failed(told, FailureKind.REJECTED), told.updated_at)


def _fail(told: ToldJob, on: Retelling) -> None:
    _run(told, on)
    on.say(_failed(told, FailureKind.EXCEPTION), told.updated_at)


def _cancel(told: ToldJob, on: Retelling) -> None:
    if _ran(told) and on.job.attempts == 0:
        on.imply_run()
    if on.job.state is State.PROCESSING:
        _remark(told, on)
    on.say(Canceled(), told.updated_at)


def _complete(told: ToldJob, on: Retelling) -> None:
    on.imply_run()
    success = told.result == "Success"
    on.say(Succeeded() if success else _failed(told, FailureKind.ITEM_ERRORS), told.updated_at)


# How a job gets to each status from one before it.
_STEPS: Final[Mapping[str, Callable[[ToldJob, Retelling], None]]] = MappingProxyType(
    {
        "request_received": lambda told, on: None,
        "ready_to_process": _wait,
        "processing": _run,
        "fail_to_receive": _reject,
        "fail_to_process": _fail,
        "canceled": _cancel,
        "complete": _complete,
    }
)


def _ran(told: ToldJob) -> bool:
    """Whether the answer shows that the job was processed, whatever its status."""
    return told.percent_completed > 0 or told.error_count > 0


def _failed(told: ToldJob, kind: FailureKind) -> Failed:
    return Failed(kind=kind, error_count=told.error_count or None)


def _remark(told: ToldJob, on: Retelling) -> None:
    """How far a job came that is being processed. While it still is, that is news of the last change."""
    at = told.updated_at if told.status == "processing" else None
    if told.error_count != on.job.error_count and told.status != "fail_to_process":
        on.say(ItemsReported(error_count=told.error_count), at)
    if told.percent_completed != on.job.progress:
        on.say(Progressed(progress=told.percent_completed), at)


def _check_told_again(told: ToldJob, job: Job) -> None:
    """Raise Conflict when the ledger would tell the job otherwise."""
    if faults := _faults(told, job):
        raise Conflict(
            f"The ledger would tell it otherwise: {', '.join(faults)}.", version=job.version
        )


def _faults(told: ToldJob, job: Job) -> list[str]:
    ours = entries.entry(job, _STYLE)
    names = ["status", "percent_completed", "error_count"]
    if told.result is not None and job.outcome is not Outcome.CANCELED:
        names.append("result")
    return [
        f"{name} {ours[name]}, not {getattr(told, name)}"
        for name in names
        if ours[name] != getattr(told, name)
    ]


def _ms(at: datetime) -> str:
    return moments.told(at, UTC)


def _tell_errors(told: ToldJob, on: Retelling) -> None:
    """Add the errors that the job does not have yet. An item's errors go by the item's name."""
    there = Counter((one.message, one.description) for one in on.job.messages)
    missing = []
    for message, name in comestri_words.messages(told):
        there[message, name] -= 1
        if there[message, name] < 0:
            missing.append(Message(message=message, description=name))
    on.remark(missing)
