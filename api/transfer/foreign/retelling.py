"""Retelling: the events that a response tells of one job, said one after another on top of what the ledger has.

Invariants: each event is decided as it is said, like any other; an event that no response tells, but without which the next could not have happened,
is marked as implied and has no time. Errors: LedgerError when something may not happen, Conflict when the response and the ledger disagree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from uuid_utils.compat import uuid7

from api.transfer.lines import Row
from api.transfer.table import IMPLIED
from ledger import events, imported, settings, store
from ledger.errors import Conflict
from ledger.events import Envelope, Event, Failed, Message, Queued, Started
from ledger.imported import Claim, History
from ledger.job import Job, State

# A claim's time is judged when it is saved; here only its place among the others matters.
_LATER = datetime(9000, 1, 1, tzinfo=UTC)


class Told(BaseModel):
    """A part of a response. What it has besides is passed over, since newer versions add fields."""

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False, frozen=True)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the events go, whose they are, and where they were read."""

    project: str
    actor: str
    line: int


class Retelling:
    """Events on top of `job`, None where it is yet to be created."""

    def __init__(self, job: Job | None, job_id: UUID, origin: Origin) -> None:
        self.claims: list[Claim] = []
        self._job = job
        self._job_id = job_id
        self._origin = origin

    @property
    def job(self) -> Job:
        """The job as it is by now."""
        assert self._job is not None, "the creation is said first"
        return self._job

    def say(
        self,
        event: Event,
        at: datetime | None = None,
        *,
        note: str | None = None,
        source_id: str | None = None,
        actor: str | None = None,
    ) -> None:
        """Say that this happened. Raises LedgerError when it may not."""
        one = self._origin
        envelope = Envelope(
            one.project,
            actor or one.actor,
            imported.CREDENTIAL,
            note=note,
            source_id=source_id,
            imported=True,
        )
        claim = Claim.of(event, envelope, at, None, one.line)
        history = History(one.project, self._job_id, (), [])
        decided = imported.decided(self._job, history, [_numbered(claim)], _LATER)
        if decided.refused is not None:
            raise decided.refused[1]
        if not decided.claims:
            raise Conflict(
                "it comes to its end twice", version=self._job.version if self._job else 0
            )
        self._job = decided.job
        self.claims.append(claim)

    def imply(self, event: Event) -> None:
        """Say what must have happened, though no response tells it."""
        self.say(event, note=IMPLIED)

    def imply_run(self) -> None:
        """See to it that the job is being processed."""
        if self.job.state is not State.PROCESSING:
            self.imply(Started())

    def imply_wait(self) -> None:
        """See to it that the job can be queued: one that was being processed must have failed."""
        if self.job.state is State.PROCESSING:
            self.imply(Failed(final=False))
        if self.job.state is not State.QUEUED:
            self.imply(Queued())

    def remark(self, messages: Sequence[Message]) -> None:
        """Add messages to the job, as many on one event as it can hold."""
        for start in range(0, len(messages), settings.MESSAGES_MAX):
            self.say(events.Noted(messages=tuple(messages[start : start + settings.MESSAGES_MAX])))


def _numbered(claim: Claim) -> Claim:
    """The claim as it can be decided: a number that is yet to be drawn is any."""
    event = claim.event
    if isinstance(event, events.Created) and event.number is None:
        return claim._replace(event=event.model_copy(update={"number": 1}))
    return claim


def begun(
    tell: Callable[[Retelling, Job | None], None],
    origin: Origin,
    row: Row,
    label: str,
    job_id: UUID | None = None,
) -> History:
    """The history of a row. `tell` says what the row adds to a job, or to none; `label` names the job to people. Raises LedgerError."""
    some_id = job_id or uuid7()
    first = Retelling(None, some_id, origin)
    tell(first, None)
    history = History(
        origin.project,
        some_id,
        (),
        first.claims,
        {row.line: row.raw},
        by_id=job_id is not None,
        label=label,
    )
    creation = history.creation
    assert creation is not None
    history.names = tuple(store.identities_of(creation))

    def beyond(job: Job) -> Sequence[Claim]:
        further = Retelling(job, job.id, origin)
        tell(further, job)
        return further.claims

    history.beyond = beyond
    return history


def differ(told: dict[str, tuple[Any, Any]]) -> None:
    """Raise Conflict when something was told otherwise: by name, what the response says and what the ledger has.

    What either lacks differs in nothing."""
    names = [
        name
        for name, (ours, theirs) in told.items()
        if None not in (ours, theirs) and ours != theirs
    ]
    if names:
        raise Conflict(f"it was created otherwise ({', '.join(names)})", version=0)
