"""Changes: what an item of a GeoOp request lets happen to its job.

Invariants: pure; a status that a job has already is no event; totals and progress come before the end of a job and after its start.
Errors: Invalid for a status that there is not or that does not fit what comes with it, IllegalTransition for a way back to Created."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from api.dialects.geoop.models import ChangeIn, NewJobIn, Status, StatusIn
from api.dialects.geoop.statuses import (
    CANCELED,
    CREATED,
    FAILED,
    FATAL,
    IDS,
    NAMES,
    QUEUED,
    SUCCEEDED,
)
from api.dialects.native.ask import envelope
from api.operation import Asked
from ledger.commands import Command
from ledger.errors import IllegalTransition, Invalid
from ledger.events import (
    Canceled,
    Created,
    Event,
    Failed,
    FailureKind,
    ItemsReported,
    Noted,
    Progressed,
    Queued,
    Started,
    Succeeded,
)
from ledger.job import TRANSITIONS, Job, State

_ENDS: Final = frozenset({SUCCEEDED, FAILED, FATAL, CANCELED})


@dataclass(slots=True)
class Standing:
    """Where a job stands after the items before: what the meaning of the next one depends on."""

    state: State
    kind: FailureKind | None
    final: bool
    version: int

    @classmethod
    def of(cls, job: Job) -> Standing:
        """Where a job stands now."""
        return cls(job.state, job.kind, job.final, job.version)

    def move(self, event: Event) -> None:
        """Go on as the event says; one that is not allowed will be refused by who decides."""
        landed = TRANSITIONS[self.state].get(event.TOPIC)
        if landed is None or (self.state is State.FAILED and self.final):
            return
        self.state, self.version = landed, self.version + 1
        self.kind, self.final = (
            (event.kind, event.final) if isinstance(event, Failed) else (None, False)
        )


def creation(asked: Asked, item: NewJobIn) -> Iterable[Command]:
    """The commands that create a job, and queue it when its status says so."""
    status = CREATED if item.status is None else number_of(item.status)
    if status not in (CREATED, QUEUED):
        raise Invalid("A new job is 7 Created or 1 Queued.", field="status")
    job_id = asked.new_id()
    given = {name: getattr(item, name) for name in Created.model_fields if hasattr(item, name)}
    created = Created.model_construct(**{**given, "owner": item.owner or asked.who.name})
    yield Command(job_id, created, envelope(asked, item.note, item.occurred_at))
    if status == QUEUED:
        yield Command(job_id, Queued(), envelope(asked, None, item.occurred_at))


def change(item: ChangeIn, standing: Standing) -> tuple[tuple[Event, str | None], ...]:
    """The events of an item with their notes, in order. `standing` goes along."""
    status = None if item.status is None else number_of(item.status)
    if status not in (FAILED, FATAL) and (item.kind, item.final) != (None, None):
        raise Invalid("kind and final belong to the status 4 Failed.", field="status")
    moved = () if status is None else _move(item, status, standing)
    reported: list[Event] = []
    if item.items is not None:
        reported.append(ItemsReported.model_construct(**item.items.model_dump()))
    if item.progress is not None:
        reported.append(Progressed(progress=item.progress))
    found = [*reported, *moved] if status in _ENDS else [*moved, *reported]
    if not found and (item.messages or item.note is not None):
        found = [Noted()]
    if not found and status is None:
        raise Invalid("There is nothing to change.", field="status")
    for event in moved:
        standing.move(event)
    # Note and messages go with the move where there is one, since they tell of it.
    chosen = (*moved, *found)[:1]
    return tuple(
        (event.model_copy(update={"messages": item.messages}), item.note)
        if event in chosen
        else (event, None)
        for event in found
    )


def number_of(status: Status) -> int:
    """The id of a status. Raises Invalid."""
    match status:
        case StatusIn(id=number, name=name):
            pass
        case int():
            number, name = status, None
        case _:
            number, name = None, status
    if number is None and name is not None:
        number = IDS.get(name)
    if number is None or number not in NAMES or name not in (None, NAMES[number]):
        known = ", ".join(f"{one} {word}" for one, word in sorted(NAMES.items()))
        raise Invalid(f"A status is one of {known}.", field="status")
    return number


def _move(item: ChangeIn, status: int, standing: Standing) -> tuple[Event, ...]:
    match status:
        case 7 if standing.state is not State.CREATED:
            raise IllegalTransition(
                f"A job that is {standing.state.value} cannot be Created again.",
                version=standing.version,
                state=standing.state.value,
            )
        case 1 if standing.state is not State.QUEUED:
            return (Queued(),)
        case 2 if standing.state is not State.PROCESSING:
            return (Started(),)
        case 3:
            return (Succeeded(),)
        case 4:
            final = True if item.final is None else item.final
            return (Failed(kind=item.kind or _kind(standing), final=final),)
        case 5:
            return (Canceled(),)
        case 6:
            if item.final is False or item.kind is FailureKind.ITEM_ERRORS:
                raise Invalid("6 Fatal is final, and not about items.", field="status")
            return (Failed(kind=item.kind or _kind(standing)),)
    return ()


def _kind(standing: Standing) -> FailureKind:
    """How a job fails when nobody says so: as it did already, before it was queued by being rejected, else by an exception."""
    if standing.state is State.FAILED and standing.final and standing.kind is not None:
        return standing.kind
    return FailureKind.REJECTED if standing.state is State.CREATED else FailureKind.EXCEPTION
