"""A job as GoGrid answers it, read as history: JSON, XML and CSV alike.

Invariants: each entry of the history is an event with the entry's own id, note and time, and has no time where the answer has none; entries that the
ledger has are recognised by their place, and only those behind them are added. `Failed` may be tried again, as GoGrid's
document has it ("a job can fail and then be queued again"); `Fatal` is final. Units: times are milliseconds since 1970. Errors: Bad."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from api.dialects.gogrid import options, shape
from api.dialects.gogrid.as_xml import WHOLE_TEXT, java_text
from api.dialects.gogrid.moments import milliseconds
from api.transfer import cells
from api.transfer.foreign.gogrid_words import STATES, Entry, ToldJob
from api.transfer.foreign.retelling import Origin, Retelling, begun, differ
from api.transfer.lines import Bad, Row, sentence
from api.transfer.table import IMPLIED
from ledger import settings
from ledger.errors import Conflict, LedgerError
from ledger.events import (
    Canceled,
    Created,
    Event,
    Failed,
    FailureKind,
    Message,
    Noted,
    Queued,
    Started,
    Succeeded,
)
from ledger.imported import History
from ledger.job import Job, State, Stay

_FATAL = Message(code=options.FATAL.id, message=options.FATAL.description or "")


class GoGridJobs:
    """How GoGrid's jobs are read. All go to `project`."""

    def __init__(self, project: str | None, actor: str) -> None:
        assert project is not None, "GoGrid names no project"
        self._project, self._actor = project, actor

    def history(self, row: Row) -> History:
        """What a job tells. Raises Bad."""
        if isinstance(row.cells, Bad):
            raise row.cells
        said = row.cells
        if said.get("object", "job") != "job":
            raise Bad(_no_job(said))
        try:
            told = ToldJob.model_validate(said)
            origin = Origin(self._project, self._actor, row.line)
            return begun(lambda on, job: tell(told, on, job), origin, row, f"Job {told.id}")
        except ValidationError as error:
            raise Bad(f"Job {cells.shown(said.get('id'))}: {sentence(error)}") from error
        except LedgerError as error:
            raise Bad(f"Job {said['id']}: {str(error).rstrip('.')}.") from error


def _no_job(said: dict[str, Any]) -> str:
    if said["object"] == "error":
        return f"GoGrid refused this request: {cells.shown(said.get('message'))}."
    return f"This is no job but {cells.shown(said['object'])}."


def tell(told: ToldJob, on: Retelling, job: Job | None) -> None:
    """Say what the answer adds to the job, or all of it where there is none."""
    if job is None:
        entries = _create(told, on)
    else:
        _check_creation(told, job)
        entries, is_behind = _unknown(told.history, job.history)
        if is_behind and not _is_newer(told, job):
            return
    attempts, states = on.job.attempts, len(on.job.history)
    for entry in entries:
        event = _event(entry.state, on, told)
        on.say(event, entry.updatedon, note=entry.note, source_id=str(entry.id))
    if not _is_in(told.currentstate, on.job):
        # The history lags behind the state that the answer names beside it.
        on.say(_event(told.currentstate, on, told), note=IMPLIED)
    went_on = job is None or len(on.job.history) > states
    at = told.lastupdatedon if went_on or _is_newer(told, on.job) else None
    if at is not None and milliseconds(at) == milliseconds(on.job.updated_at):
        at = None
    note = _miscounted(told, on.job) if job is None or on.job.attempts != attempts else None
    if at is not None or note is not None:
        on.say(Noted(), at, note=note)


def _is_newer(told: ToldJob, job: Job) -> bool:
    at = told.lastupdatedon
    return at is not None and milliseconds(at) > milliseconds(job.updated_at)


def _is_in(name: str, job: Job) -> bool:
    """Whether a job is in one of GoGrid's states."""
    return STATES[name] is job.state and (name != "Fatal" or job.final)


def _miscounted(told: ToldJob, job: Job) -> str | None:
    if told.attempts in (None, job.attempts):
        return None
    return f"GoGrid counts {told.attempts} attempts, the history {job.attempts}."


def _create(told: ToldJob, on: Retelling) -> Sequence[Entry]:
    """Create the job; the entries behind that."""
    entries = told.history
    first = entries[0] if entries and entries[0].state == "Created" else None
    at = first.updatedon if first else None
    creation = Created(
        number=told.id,
        owner=told.owner,
        type=told.objecttype.name,
        command=_command(told),
        object=_object(told),
        detail=told.detail,
        created_at=None if at == told.createdon else told.createdon,
    )
    if first is None:
        on.say(creation, note=IMPLIED)
        return entries
    on.say(creation, at, note=first.note, source_id=str(first.id))
    return entries[1:]


def _command(told: ToldJob) -> str | None:
    if told.command is None or (told.command.id, told.command.name) == (0, "Unspecified"):
        return None
    return told.command.name


def _object(told: ToldJob) -> str | None:
    """The name of what the job is about, which GoGrid has in the detail."""
    name = (told.detail or {}).get("name")
    return (
        name
        if isinstance(name, str) and 0 < len(name.encode()) <= settings.WORD_BYTES_MAX
        else None
    )


def _check_creation(told: ToldJob, job: Job) -> None:
    differ(
        {
            "owner": (told.owner, job.owner),
            "objecttype": (told.objecttype.name, job.type),
            "command": (_command(told), job.command),
            "createdon": (milliseconds(told.createdon), milliseconds(job.created_at)),
            "detail": (
                told.detail,
                None if job.detail is None else _alike(told.detail, dict(job.detail)),
            ),
        }
    )


def _alike(told: Any, ours: dict[str, Any]) -> Any:
    """The ledger's detail as the answer would have it, if it says the same: XML has every value as text."""
    if not isinstance(told, dict) or told == ours:
        return told
    as_text = _texts(told), _texts(ours)
    # A text that could not be taken apart is only compared with another.
    alike = as_text[0] == as_text[1] or (WHOLE_TEXT in told) != (WHOLE_TEXT in ours)
    return told if alike else ours


def _texts(detail: dict[str, Any]) -> dict[str, str]:
    return {key: java_text(value) for key, value in detail.items()}


def _unknown(entries: Sequence[Entry], there: Sequence[Stay]) -> tuple[Sequence[Entry], bool]:
    """The entries that the ledger lacks, and whether the answer lacks some that it has. Raises Conflict."""
    if not entries or entries[0].state != "Created":
        there = there[1:]  # the creation of an answer without one was implied
    nth = 0
    for stay in there:
        if nth == len(entries):
            return (), True
        if (fault := _fault(entries[nth], stay)) is None:
            nth += 1
        elif stay.note != IMPLIED:
            raise Conflict(f"its entry {entries[nth].id} {fault}", version=stay.version)
    return entries[nth:], False


def _fault(entry: Entry, stay: Stay) -> str | None:
    """What an entry tells otherwise than the ledger. What either lacks differs in nothing."""
    if STATES[entry.state] is not stay.state or (entry.state == "Fatal" and not stay.final):
        return f"is {entry.state}, where the ledger has {stay.state.value}"
    number = shape.entry_id(stay.source_id, stay.position)
    if stay.source_id is not None and entry.id != number:
        return f"has the id {number} in the ledger"
    if None not in (entry.updatedon, stay.at) and _ms(entry.updatedon) != _ms(stay.at):
        return "has another time in the ledger"
    if entry.note and stay.note not in (None, "", IMPLIED, entry.note):
        return "has another note in the ledger"
    return None


def _ms(at: datetime | None) -> int | None:
    return None if at is None else milliseconds(at)


def _event(name: str, on: Retelling, told: ToldJob) -> Event:
    """The event that enters a state; what it cannot do without is implied."""
    state = on.job.state
    match name:
        case "Created":
            raise Conflict("its history has Created twice", version=on.job.version)
        case "Queued":
            return Queued()
        case "Processing":
            return Started()
        case "Succeeded":
            on.imply_run()
            return Succeeded()
        case "Canceled":
            return Canceled()
        case "Failed":
            if state is State.CREATED:
                (on.imply_run if told.attempts else on.imply_wait)()
            return Failed(final=False)
    if state is State.CREATED:
        return Failed(kind=FailureKind.REJECTED)
    # A failure that no other came before is told as Failed; that it was fatal stays with the job as a message.
    failed_before = any(stay.state is State.FAILED for stay in on.job.history)
    return Failed(messages=() if failed_before else (_FATAL,))
