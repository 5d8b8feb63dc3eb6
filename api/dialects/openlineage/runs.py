"""Runs: what an OpenLineage event lets happen to the job of its run.

Invariants: pure; every event leaves at least one event in the log, and never one that would be refused: what no longer fits the state is a note.
All that an event said is kept: that of the first one in the job's detail where it fits, all else as notes, in parts where it is long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from api.dialects.openlineage.models import EventType, RunEventIn
from ledger.events import (
    Canceled,
    Created,
    Detail,
    Event,
    Failed,
    Message,
    Noted,
    Started,
    Succeeded,
)
from ledger.job import Job, State
from ledger.settings import LINEAGE_DETAIL_BYTES_MAX, TEXT_LENGTH_MAX
from ledger.words import cut

TYPE: Final = "OpenLineageRun"

_DETAIL: Final = TypeAdapter[Any](Detail)
# What every event says; the rest is worth a note.
_PLAIN: Final = frozenset({"eventType", "eventTime", "run", "job", "producer", "schemaURL"})
_PART_LENGTH: Final = TEXT_LENGTH_MAX - 16  # characters, with room for the number of the part


@dataclass(frozen=True, slots=True)
class Step:
    """An event with its note."""

    event: Event
    note: str | None = None


def happened(
    event: RunEventIn, said: Mapping[str, Any], text: str, owner: str, job: Job | None
) -> tuple[Step, ...]:
    """What a report makes of the run's job (None: it was not heard of yet). `text` is `said` as JSON."""
    steps: list[Step] = []
    if job is None:
        detail = _detail(said, text)
        steps.append(Step(_created(event, detail, owner)))
        kept = detail is not None
    else:
        kept = _is_plain(event, said)
    moves = tuple(_moves(event, job))
    steps += moves
    if not kept or not steps:
        steps += (Step(Noted(), part) for part in parts(text))
    return tuple(steps)


def parts(text: str) -> Iterable[str]:
    """A text as notes: itself, or its parts with their numbers, such as 1/3."""
    if len(text) <= TEXT_LENGTH_MAX:
        return (text,)
    cuts = [text[start : start + _PART_LENGTH] for start in range(0, len(text), _PART_LENGTH)]
    return (f"{nth}/{len(cuts)} {cut}" for nth, cut in enumerate(cuts, 1))


def _created(event: RunEventIn, detail: Mapping[str, Any] | None, owner: str) -> Created:
    documentation = event.job.facets.get("documentation")
    description = documentation.get("description") if isinstance(documentation, dict) else None
    return Created(
        type=TYPE,
        owner=owner,
        command=cut(event.job.namespace),
        object=cut(event.job.name),
        source_id=str(event.run.runId),
        description=_text(description),
        detail=None if detail is None else dict(detail),
    )


def _detail(said: Mapping[str, Any], text: str) -> Mapping[str, Any] | None:
    """All that was said, unless it is too much for a job's detail, or nested deeper than that may be."""
    if len(text.encode()) > LINEAGE_DETAIL_BYTES_MAX:
        return None
    try:
        _DETAIL.validate_python(said)
    except ValidationError:
        return None
    return said


def _is_plain(event: RunEventIn, said: Mapping[str, Any]) -> bool:
    """Whether the event says nothing beside what its envelope and its job have."""
    more = event.run.facets or event.run.model_extra or event.job.facets or event.job.model_extra
    return not more and all(name in _PLAIN or not value for name, value in said.items())


def _moves(event: RunEventIn, job: Job | None) -> Iterable[Step]:
    if job is not None and job.absorbed:
        return
    running = job is not None and job.state is State.PROCESSING
    match event.eventType:
        case EventType.START | EventType.RUNNING:
            if not running:
                yield Step(Started())
        case EventType.COMPLETE | EventType.FAIL:
            if not running:
                yield Step(Started(), f"No START was heard of before {event.eventType}.")
            yield Step(Succeeded() if event.eventType is EventType.COMPLETE else _failed(event))
        case EventType.ABORT:
            yield Step(Canceled())
        case EventType.OTHER:
            pass


def _failed(event: RunEventIn) -> Failed:
    facet = event.run.facets.get("errorMessage")
    found = facet if isinstance(facet, dict) else {}
    message = _text(found.get("message"))
    if not message:
        return Failed()
    return Failed(messages=(Message(message=message, description=_text(found.get("stackTrace"))),))


def _text(value: Any) -> str | None:
    """A text that the ledger can keep, cut where it is too long."""
    if not isinstance(value, str):
        return None
    return value.replace("\x00", "\ufffd")[:TEXT_LENGTH_MAX]
