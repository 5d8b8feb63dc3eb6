"""Words to questions: which runs OpenLineage's events are about.

Invariants: pure; each event is a write of its own, under a key made from all that it says, so that a repeated one changes nothing.
Errors: BadSyntax for a body that is none, Invalid for an event that does not say what it should, TooLarge for one that says too much."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pydantic_core
from pydantic import ValidationError

from api.dialects.native.ask import envelope
from api.dialects.openlineage.models import RunEventIn
from api.dialects.openlineage.runs import happened
from api.faults import BadSyntax, TooLarge, invalid
from api.operation import Asked, Each, Nothing, Resolve
from ledger.commands import Command, Key, Write
from ledger.errors import Invalid, LedgerError
from ledger.job import Job
from ledger.names import Name, by_source_id
from ledger.settings import BATCH_COMMANDS_MAX, LINEAGE_EVENT_LENGTH_MAX


@dataclass(frozen=True, slots=True)
class Reported:
    """An event of a run: as it is understood, and all that it said as JSON with sorted keys."""

    event: RunEventIn
    said: Mapping[str, Any]
    text: str

    @property
    def run(self) -> str:
        """The run, as its job's source_id."""
        return str(self.event.run.runId)


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event of no run: there is nothing to record."""

    why: str


def one(asked: Asked) -> Resolve | Nothing:
    """POST /api/v1/lineage"""
    event = read(_json(asked))
    return Nothing() if isinstance(event, Ignored) else _recorded(asked, event)


def ignored(asked: Asked) -> str:
    """Why an event that is not recorded is not."""
    event = read(_json(asked))
    return event.why if isinstance(event, Ignored) else ""


def many(asked: Asked) -> Each:
    """POST /api/v1/lineage/batch"""
    found = (event for event in batch(asked) if isinstance(event, Reported))
    return Each(tuple((event.run, _recorded(asked, event)) for event in found))


def batch(asked: Asked) -> list[Reported | Ignored | LedgerError]:
    """The events of a batch in order, those that cannot be understood as what is wrong with them."""
    parsed = _json(asked)
    if not isinstance(parsed, list):
        raise BadSyntax("A batch is a list of events.")
    if len(parsed) > BATCH_COMMANDS_MAX:
        raise TooLarge(f"A batch holds at most {BATCH_COMMANDS_MAX} events.")
    found: list[Reported | Ignored | LedgerError] = []
    for event in parsed:
        try:
            found.append(read(event))
        except LedgerError as error:
            found.append(error)
    return found


def read(said: Any) -> Reported | Ignored:
    """One event."""
    if not isinstance(said, dict):
        raise BadSyntax("An event is a JSON object.")
    if "run" not in said:
        for about in ("job", "dataset"):
            if isinstance(said.get(about), dict):
                return Ignored(f"An event about a {about} tells of no run, so nothing is recorded.")
        raise Invalid("run: An event has a run, a job or a dataset.", field="run")
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    if len(text) > LINEAGE_EVENT_LENGTH_MAX:
        raise TooLarge(f"An event has at most {LINEAGE_EVENT_LENGTH_MAX} characters.")
    # An explicit null is as good as nothing; some producers send their empty fields.
    given = {name: value for name, value in said.items() if value is not None}
    try:
        event = RunEventIn.model_validate_json(pydantic_core.to_json(given))
    except ValidationError as error:
        raise invalid(error) from error
    return Reported(event, said, text)


def _json(asked: Asked) -> Any:
    try:
        return pydantic_core.from_json(asked.body, allow_inf_nan=False)
    except ValueError as error:
        raise BadSyntax(f"The body is not JSON: {error}.") from error


def _recorded(asked: Asked, reported: Reported) -> Resolve:
    name = by_source_id(reported.run)
    event = reported.event
    digest = hashlib.sha256(reported.text.encode())
    # With blanks, which no client's own key has.
    word = f"openlineage {reported.run} {event.eventType} {event.eventTime.isoformat()} {digest.hexdigest()}"
    key = Key(asked.who.project, word, digest.digest())

    def then(found: Mapping[Name, Job]) -> Write:
        job = found.get(name)
        job_id = job.id if job else asked.new_id()
        commands: list[Command] = []
        for step in happened(event, reported.said, reported.text, asked.who.name, job):
            version = job.version if job and not commands else None
            said = envelope(asked, step.note, event.eventTime)
            commands.append(Command(job_id, step.event, said, version))
        return Write(tuple(commands), key, len(reported.text))

    return Resolve(asked.who.project, (name,), then, key)
