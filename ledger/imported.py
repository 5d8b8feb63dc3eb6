"""Imported histories: what a source tells of one job, matched with what the log has and decided like any other command.

Invariants: pure; an imported event carries `imported` and the source's time or none; what the log has already is recognised and not told
again; nothing is put before an event that is there. Errors: LedgerError when a history may not go on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import pydantic_core

from ledger import codec, events
from ledger.codec import Row
from ledger.commands import Command
from ledger.decide import CLAIM_AHEAD_MAX, decide
from ledger.errors import Conflict, LedgerError, UnknownJob
from ledger.events import EVENTS, Envelope, Event, Recorded
from ledger.job import Job, evolve

CREDENTIAL = "import"  # stands where other events have the id of their credential

# Of the envelope and the event, what may differ although the source tells the same: who ran the import, and a number that we drew.
_TOLD_BY = "actor"
_NEW = UUID(int=0)  # where an event that has no id yet is folded


class Claim(NamedTuple):
    """One event as its source tells it. `envelope` has no time: that is `at`; `state` is both, encoded; `line` is where it was read.

    `event_id` is the source's, None for a new one."""

    event: Event
    envelope: Envelope
    at: datetime | None
    state: bytes
    event_id: UUID | None
    line: int

    @classmethod
    def of(
        cls, event: Event, envelope: Envelope, at: datetime | None, event_id: UUID | None, line: int
    ) -> Claim:
        """Encode an event. Raises Invalid when it is too large."""
        return cls(event, envelope, at, codec.encode(event, envelope), event_id, line)


@dataclass(slots=True)
class History:
    """What a source tells of one job, in order. `names` are the identities it goes by, as kinds and values.

    `job_id`: the job's id where the source gives one (`by_id`), else that of the job to be made or, once it is found, of the one there is.
    `whole`: saved all or not at all. `drawn`: its number is ours, not the source's. `torn`: why its names cannot be those
    of one job. `raws`: the text of its lines, by line number. `attempts`: how often other writers came in between.
    `beyond`: what the source adds to the job as the ledger has it, where that is not told line by line; it raises LedgerError when the two
    disagree. `label` names the job to people where its line does not."""

    project: str
    job_id: UUID
    names: tuple[tuple[str, str], ...]
    claims: list[Claim]
    raws: dict[int, str] = field(default_factory=dict)
    by_id: bool = False
    whole: bool = True
    drawn: bool = False
    torn: str | None = None
    attempts: int = 0
    beyond: Callable[[Job], Sequence[Claim]] | None = None
    label: str | None = None

    @property
    def creation(self) -> events.Created | None:
        """The event that makes the job, if that is part of it."""
        event = self.claims[0].event
        return event if isinstance(event, events.Created) else None

    @property
    def lacks_number(self) -> bool:
        """Whether the job that it makes is yet to get a number."""
        return self.creation is not None and self.creation.number is None

    @property
    def all_names(self) -> list[tuple[str, str]]:
        """What its job is called, by kind, its id among them."""
        return [*self.names, ("id", str(self.job_id))]


class Legality:
    """Whether histories of new jobs are legal: `decide` is asked once for each shape, since it looks at nothing else of them.

    The shape is each event's topic and how it failed. Times are looked at one by one."""

    def __init__(self, shapes_max: int = 10_000) -> None:
        self._verdicts: dict[Hashable, tuple[int, LedgerError] | None] = {}
        self._shapes_max = shapes_max

    def refusal(self, history: History, now: datetime) -> tuple[int, LedgerError] | None:
        """The index of the first claim that may not happen, with the reason, or None."""
        latest = now + CLAIM_AHEAD_MAX
        steps: list[Hashable] = []
        for claim in history.claims:
            if claim.at is not None and claim.at > latest:
                return decided(None, history, history.claims, now).refused
            event = claim.event
            steps.append(_step(event) if type(event) in _SEVERAL else type(event))
        shape = tuple(steps)
        if shape not in self._verdicts:
            if len(self._verdicts) >= self._shapes_max:
                self._verdicts.clear()
            self._verdicts[shape] = decided(None, history, history.claims, now).refused
        return self._verdicts[shape]


_SEVERAL = frozenset({events.Created, events.Failed})  # these are judged by what they say, too


def _step(event: Event) -> Hashable:
    if isinstance(event, events.Failed):
        return event.TOPIC, event.kind, event.final
    return event.TOPIC, isinstance(event, events.Created) and event.number is None


@dataclass(frozen=True, slots=True)
class Decided:
    """The claims that may be appended, the job as they leave it, and the first that may not, by its index, with the reason."""

    claims: tuple[Claim, ...]
    job: Job | None
    refused: tuple[int, LedgerError] | None = None


def decided(job: Job | None, history: History, claims: Sequence[Claim], now: datetime) -> Decided:
    """Decide claims one after another, each on top of those before it. A claim that repeats the job's end adds nothing."""
    kept: list[Claim] = []
    for index, claim in enumerate(claims):
        envelope = claim.envelope._replace(occurred_at=claim.at)
        try:
            happened = decide(job, Command(history.job_id, claim.event, envelope), now)
        except LedgerError as error:
            return Decided(tuple(kept), job, (index, error))
        for event in happened:
            version = job.version + 1 if job else 1
            job = evolve(
                job,
                Recorded(0, claim.event_id or _NEW, history.job_id, version, now, envelope, event),
            )
            kept.append(claim)
    return Decided(tuple(kept), job)


def untold(history: History, there: list[Row]) -> tuple[list[Claim], LedgerError | None]:
    """The claims that the log lacks, and why they may not be told, if so. `there` is what it had of the job; what is recognised is taken out.

    Nothing may be put before what is there: history goes on at its end."""
    rest: list[Claim] = []
    error: LedgerError | None = None
    for claim in history.claims:
        row = next((row for row in there if same(claim, row, drawn=history.drawn)), None)
        if row is None:
            rest.append(claim)
            continue
        there.remove(row)
        if rest and error is None:
            error = Conflict(
                f"the ledger lacks its {rest[0].event.TOPIC!r} but has the {row.topic!r} that comes after",
                version=row.originator_version,
            )
    if rest and isinstance(rest[0].event, events.Created):
        first = next((row for row in there if row.originator_version == 1), None)
        names = (
            ", ".join(_differing(rest[0], first, drawn=history.drawn)) if first else "its beginning"
        )
        error = Conflict(f"it was created otherwise ({names})", version=0)
    return rest, error


def _differing(claim: Claim, row: Row, *, drawn: bool) -> list[str]:
    """Which fields a claim and a stored event tell differently."""
    told, stored = (_words(state, row.topic, drawn=drawn) for state in (claim.state, row.state))
    differing = [] if claim.at == row.occurred_at else ["occurred_at"]
    for ours, theirs in ((told, stored), (told.pop("event"), stored.pop("event"))):
        differing += [name for name in {**theirs, **ours} if ours.get(name) != theirs.get(name)]
    return differing


def same(claim: Claim, row: Row, *, drawn: bool) -> bool:
    """Whether a stored event is this claim: the same event id, or the same time and words, whoever imported them."""
    if row.topic != claim.event.TOPIC:
        return False
    if claim.event_id == row.event_id:
        return True
    if claim.at != row.occurred_at:
        return False
    if claim.state == row.state:
        return True
    told, stored = (_words(state, row.topic, drawn=drawn) for state in (claim.state, row.state))
    return told == stored


def _words(state: bytes, topic: str, *, drawn: bool) -> dict[str, Any]:
    body: dict[str, Any] = pydantic_core.from_json(state)
    body.pop(_TOLD_BY, None)
    body["event"] = codec.lift(EVENTS[topic], body.pop("class_version", 1), body["event"])
    if drawn:
        body["event"].pop("number", None)
    return body


def another(error: LedgerError) -> LedgerError:
    """The refusal of what does not fit a job that exists, in words that say so."""
    return Conflict(f"The job exists with another history: {str(error).rstrip('.')}.", version=0)


def unknown(history: History) -> UnknownJob:
    """Nothing in the ledger or the file made this job before."""
    name = (
        " and ".join(f"{kind} {value}" for kind, value in history.names) or f"id {history.job_id}"
    )
    return UnknownJob(
        f"No job of project {history.project!r} has the {name}, and no line above creates it."
    )


def renumber(history: History, number: int | None) -> None:
    """Give the job that a history begins another number, one of ours; None: it is yet to be drawn."""
    first = history.claims[0]
    event = first.event.model_copy(update={"number": number})
    history.claims[0] = Claim.of(event, first.envelope, first.at, first.event_id, first.line)
    history.drawn = True
