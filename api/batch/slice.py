"""A slice: the next items of a batch, decided in order, each on top of those before it.

Invariants: an item that is refused is that item's error and spares the others; what is decided rests on the jobs' versions and is appended as one
unit, with the batch's own progress, or not at all. Errors: none of an item's; psycopg's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from api.batch.wish import Reader, Wish
from api.faults import TooLarge
from ledger import events, settings
from ledger.batches import Batch, Item, Result
from ledger.commands import Command, Write
from ledger.errors import IdentityTaken, IllegalTransition, LedgerError, UnknownJob
from ledger.events import Created, Envelope, Event, FailureKind
from ledger.job import Job, State, evolve
from ledger.names import Name
from ledger.plan import plan
from ledger.store import Entry, Unit, identities_of

log = structlog.get_logger("api.batch")

ACTOR = "jobledger"  # says how a batch goes; what its items say, its client says


@dataclass(frozen=True, slots=True)
class Read:
    """An item as it was understood, or why not."""

    nth: int
    wish: Wish | LedgerError


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to be saved together. Positions in `results` count the unit's entries from 0, but for items in `standing`: theirs are the log's."""

    unit: Unit = field(default_factory=lambda: Unit(()))
    results: tuple[Result, ...] = ()
    standing: frozenset[int] = frozenset()
    finished: bool = False

    def results_at(self, position: int) -> list[Result]:
        """The results once the unit's first entry stands at this position."""
        return [
            one
            if one.position is None or one.nth in self.standing
            else replace(one, position=position + one.position)
            for one in self.results
        ]


def read(batch: Batch, items: Iterable[Item], reader: Reader) -> list[Read]:
    """What each item wishes."""
    return [Read(item.nth, _read(batch, item, reader)) for item in items]


def _read(batch: Batch, item: Item, reader: Reader) -> Wish | LedgerError:
    if item.text is None:
        return TooLarge(f"An item has at most {settings.EVENT_BYTES_MAX} bytes.")
    try:
        return reader(item.text, batch.shared, batch.actor)
    except LedgerError as error:
        return error
    except Exception:
        log.exception("an item cannot be read", batch=str(batch.job_id), item=item.nth)
        return LedgerError("The ledger cannot read this item.")


def names(slice_: Iterable[Read]) -> set[Name]:
    """Every name that the items use or would give."""
    found: set[Name] = set()
    for one in slice_:
        if isinstance(one.wish, Wish):
            found.update(one.wish.names)
            found.update(_given(one.wish.event))
    return found


def creations(slice_: Iterable[Read]) -> int:
    """How many jobs the items would create."""
    return sum(isinstance(one.wish, Wish) and isinstance(one.wish.event, Created) for one in slice_)


def decide(
    batch: Batch,
    slice_: Sequence[Read],
    job: Job,
    ids: Mapping[Name, UUID],
    jobs: Mapping[UUID, Job],
    numbers: Iterator[int],
    now: datetime,
) -> Decided:
    """What a slice comes to. `job` is the batch's own, which is PROCESSING; `ids` and `jobs` are as the log has them; `numbers` are for new jobs."""
    desk = _Desk(batch, dict(ids), dict(jobs), numbers, now)
    for one in slice_:
        desk.decide(one)
    applied = batch.applied + len(slice_)
    failed = batch.failed + sum(one.code is not None for one in desk.results)
    finished = applied == batch.items
    progress = [
        events.ItemsReported(succeeded=applied - failed, failed=failed, total=batch.items),
        *([_end(failed)] if finished else []),
    ]
    unit = plan(_own(batch, progress), {batch.job_id: job}, now, uuid7, int)
    return Decided(
        Unit((*desk.entries, *unit.entries)),
        tuple(desk.results),
        frozenset(desk.standing),
        finished,
    )


def started(batch: Batch, job: Job, now: datetime) -> Decided:
    """The batch begins, or begins again."""
    total = events.ItemsReported(
        succeeded=batch.applied - batch.failed, failed=batch.failed, total=batch.items
    )
    write = _own(batch, [events.Started(), total])
    return Decided(plan(write, {batch.job_id: job}, now, uuid7, int))


def _own(batch: Batch, said: Iterable[Event]) -> Write:
    """What the ledger itself says of a batch."""
    envelope = Envelope(batch.project, ACTOR, request_id=batch.request_id)
    return Write(tuple(Command(batch.job_id, event, envelope) for event in said))


def _end(failed: int) -> Event:
    if not failed:
        return events.Succeeded()
    return events.Failed(kind=FailureKind.ITEM_ERRORS, error_count=failed)


def _given(event: Event) -> Iterator[Name]:
    """The names that a job would get."""
    if isinstance(event, Created):
        for kind, value in identities_of(event):
            yield Name(kind, value)  # type: ignore[arg-type]


@dataclass(slots=True)
class _Desk:
    """Where a slice's items are decided, one after the other."""

    batch: Batch
    ids: dict[Name, UUID]
    jobs: dict[UUID, Job]
    numbers: Iterator[int]
    now: datetime
    entries: list[Entry] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    standing: set[int] = field(default_factory=set)

    def decide(self, one: Read) -> None:
        """Decide an item, and remember what it makes of its job."""
        try:
            if isinstance(one.wish, LedgerError):
                raise one.wish
            self._grant(one.nth, one.wish)
        except LedgerError as error:
            self._refuse(one.nth, error)
        except Exception:
            log.exception("an item cannot be decided", batch=str(self.batch.job_id), item=one.nth)
            self._refuse(one.nth, LedgerError("The ledger cannot apply this item."))

    def _grant(self, nth: int, wish: Wish) -> None:
        job_id = self._about(wish)
        envelope = Envelope(
            self.batch.project,
            self.batch.actor,
            self.batch.credential_id,
            self.batch.request_id,
            wish.note,
            wish.occurred_at,
        )
        write = Write((Command(job_id, wish.event, envelope),))
        unit = plan(write, self.jobs, self.now, uuid7, lambda: next(self.numbers))
        for entry in unit.entries:
            self.jobs[job_id] = evolve(self.jobs.get(job_id), entry.recorded(0, self.now))
            for name in _given(entry.event):
                self.ids[name] = job_id
        if unit.entries:
            self.results.append(Result(nth, about=job_id, position=len(self.entries)))
            self.entries += unit.entries
        else:
            self._repeated(nth, job_id)

    def _about(self, wish: Wish) -> UUID:
        if isinstance(wish.event, Created):
            for name in _given(wish.event):
                if name in self.ids:
                    raise IdentityTaken(
                        f"Another job has the {name.kind} {name.value}.",
                        field=name.kind,
                        holder=self.ids[name],
                    )
            return uuid7()
        for name in wish.names:
            job = self.jobs.get(self.ids.get(name, self.batch.job_id))
            if name in self.ids and job is not None and job.project == self.batch.project:
                if job.id == self.batch.job_id:
                    raise IllegalTransition(
                        "A batch cannot change its own job.",
                        version=job.version,
                        state=State.PROCESSING.value,
                    )
                return job.id
        raise UnknownJob("There is no such job.")

    def _repeated(self, nth: int, job_id: UUID) -> None:
        """The item says again how its job ended: its result is where that was said first."""
        for place in reversed(range(len(self.entries))):
            if self.entries[place].job_id == job_id:
                self.results.append(Result(nth, about=job_id, position=place))
                return
        self.standing.add(nth)
        self.results.append(Result(nth, about=job_id, position=self.jobs[job_id].position))

    def _refuse(self, nth: int, error: LedgerError) -> None:
        # The sentence may quote what the client sent, and PostgreSQL's text cannot hold all of that.
        sentence = str(error).replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
        self.results.append(
            Result(nth, code=error.code, message=sentence[: settings.TEXT_LENGTH_MAX])
        )
