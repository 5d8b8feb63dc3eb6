"""NDJSON with one transition a line: the ledger's own event, in and out.

Invariants: a line that export wrote reads back as the same event of the same job, with its id, actor, note, request id and fields; its time is the
best one that the log knew, and an entry without a `source_id` gets its old position as one, since positions are each ledger's own. A line names its
job by id, number or source_id; fields may stand in `fields` or beside the rest. Errors: Bad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from api.transfer.lines import Bad, Row, sentence
from ledger import imported, settings, store
from ledger.errors import LedgerError
from ledger.events import EVENTS, Created, Envelope, Event, Json, Moment, Text, Word
from ledger.imported import Claim

Name = tuple[str, str]  # kind and value: id, number or source_id, and what it is

# Events that say no more than that they happened: one of each will do.
_BARE: Mapping[str, Event] = {
    topic: event()
    for topic, event in EVENTS.items()
    if not any(field.is_required() for field in event.model_fields.values())
}


class _Line(BaseModel):
    """What goes with an event. Whatever else a line holds is a field of the event."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    event: Annotated[str, StringConstraints(max_length=64)]
    job: Annotated[int, Field(ge=1, le=settings.COUNT_MAX)] | Word
    project: Word | None = None
    id: UUID | None = None
    position: int | None = None
    version: int | None = None
    occurred_at: Moment | None = None
    recorded_at: Moment | None = None
    imported: bool = False
    actor: Word | None = None
    credential_id: str | None = None
    request_id: Word | None = None
    note: Text | None = None
    source_id: Word | None = None
    fields: dict[str, Json] | None = None


class Transition:
    """One line, read: the job it names, in which project, and the event it tells."""

    __slots__ = ("claim", "name", "names", "project")

    def __init__(self, project: str, name: Name, names: tuple[Name, ...], claim: Claim) -> None:
        self.project = project
        self.name = name
        # All the names that the job has from here on: more than one where it is created.
        self.names = names
        self.claim = claim


class Reading:
    """How lines are read. `project` is where all go, None where each says it; `actor` is whose they are when they do not say."""

    def __init__(self, *, project: str | None, actor: str) -> None:
        self._project = project
        self._actor = actor

    def transition(self, row: Row) -> Transition:
        """What a line tells. Raises Bad, which names the job where it can be told."""
        if isinstance(row.cells, Bad):
            raise row.cells
        try:
            line = _Line.model_validate_json(pydantic_core.to_json(row.cells))
            return self._transition(line, row.line)
        except ValidationError as error:
            raise Bad(sentence(error), self._job(row.cells)) from error
        except LedgerError as error:
            raise Bad(str(error), self._job(row.cells)) from error

    def _job(self, said: dict[str, Json]) -> tuple[str, str, str] | None:
        project, job = self._project or said.get("project"), said.get("job")
        if isinstance(project, str) and isinstance(job, int | str) and not isinstance(job, bool):
            return project, *_name(job)
        return None

    def _transition(self, line: _Line, number: int) -> Transition:
        project = self._project or line.project
        if project is None:
            raise Bad("The line names no project, and no --project was given.")
        name = _name(line.job)
        event = _event(line, name)
        # What was not imported happened when it was recorded, unless its producer said otherwise.
        at = line.occurred_at or (None if line.imported else line.recorded_at)
        source_id = line.source_id or (None if line.position is None else str(line.position))
        envelope = Envelope(
            project,
            line.actor or self._actor,
            imported.CREDENTIAL,
            line.request_id,
            line.note,
            source_id=source_id,
            imported=True,
        )
        names = [name]
        if isinstance(event, Created):
            names += [one for one in store.identities_of(event) if one != name]
        return Transition(
            project,
            name,
            tuple(names),
            Claim.of(event, envelope, at, line.id, number),
        )


def _event(line: _Line, name: Name) -> Event:
    topic = line.event if line.event.startswith("job.") else f"job.{line.event}"
    cls = EVENTS.get(topic)
    if cls is None:
        raise Bad(f"{line.event!r} is no event; the events are {', '.join(EVENTS)}.")
    fields: dict[str, Any] = {**(line.fields or {}), **(line.model_extra or {})}
    if cls is Created:
        return Created.model_validate_json(pydantic_core.to_json(_creation(line, fields, name)))
    if not fields and topic in _BARE:
        return _BARE[topic]
    return cls.model_validate_json(pydantic_core.to_json(fields))


def _creation(line: _Line, fields: dict[str, Any], name: Name) -> dict[str, Any]:
    """A creation's fields: the name it goes by is one of them, and so is the time that would else be lost."""
    kind, value = name
    if kind != "id":
        word: str | int = int(value) if kind == "number" else value
        if fields.setdefault(kind, word) not in (word, None):
            raise Bad(
                f"The line names the job by {kind} {value}, but its fields say {fields[kind]!r}."
            )
        fields[kind] = word
    if (
        line.imported
        and line.occurred_at is None
        and line.recorded_at
        and not fields.get("created_at")
    ):
        fields["created_at"] = line.recorded_at
    return fields


def _name(job: int | str) -> Name:
    """A number, an id, or else the name that the job has at its source."""
    if isinstance(job, int):
        return "number", str(job)
    if len(job) == 36:
        try:
            return "id", str(UUID(job))
        except ValueError:
            pass
    return "source_id", job
