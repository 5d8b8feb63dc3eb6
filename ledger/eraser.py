"""The eraser: takes a person's values out of the log, for good.

Invariants: bodies are rewritten only by `ledger.erase`, job by job, in the transaction of the job.erased event that says so; what is under a legal
hold is left and told; begun again after a crash it goes on where it stopped. Units: counts of jobs, bodies and rows.
Errors: Invalid, UnknownJob, Busy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from typing import Any, Final, TypeVar
from uuid import UUID

import psycopg
import pydantic_core
from psycopg import Connection
from uuid_utils.compat import uuid7

from ledger import settings, sql, store
from ledger.erasure import MARK, Person, without
from ledger.errors import Busy, Invalid, LedgerError, UnknownJob
from ledger.events import Envelope, Erased, ErasedBody
from ledger.store import Entry, Unit

SQL: Final = sql.load(__file__)

Item = TypeVar("Item")
Progress = Callable[[int, int], None]
Row = tuple[UUID, int, int, str, bytes]


class Held(LedgerError):
    """A legal hold forbids it."""

    code = "held"
    hint = "`jobledger hold list` shows the holds; one ends by `jobledger hold release`."


@dataclass(frozen=True, slots=True)
class Order:
    """What to erase, and on whose word. `jobs` are treated as the person's own, whoever owns them."""

    project: str
    person: Person
    by: str
    reason: str
    jobs: frozenset[UUID] = frozenset()
    everything: bool = False

    def __post_init__(self) -> None:
        if self.person.value is not None and (
            self.person.value in MARK or not self.person.value.strip()
        ):
            raise Invalid("This value is no person's.", field="subject")
        for name in ("by", "reason"):
            if not getattr(self, name).strip() or self.person.found(getattr(self, name)):
                raise Invalid(
                    f"Say {name} in words that do not name whom you erase: they are kept.",
                    field=name,
                )


@dataclass(slots=True)
class Done:
    """What was erased, and what was left because a legal hold forbids it. `beside` counts rows that lie beside the log."""

    jobs: int = 0
    bodies: int = 0
    beside: int = 0
    fields: set[str] = field(default_factory=set)
    held: list[UUID] = field(default_factory=list)


def erase(
    reading: Connection[Any],
    erasing: Connection[Any],
    order: Order,
    progress: Progress = lambda done, total: None,
    *,
    dry_run: bool = False,
) -> Done:
    """Erase; `dry_run` only counts. `reading` is the auditor's connection, `erasing` the eraser's; both in autocommit mode."""
    jobs = sorted(_jobs(reading, order))
    done, seen = Done(), 0
    progress(0, len(jobs))
    for chunk in _parts(jobs, settings.ERASE_JOBS_MAX):
        try:
            _erase(reading, erasing, order, chunk, done, dry_run=dry_run)
        except Held:
            # One of them is held: the others are not.
            for job_id in chunk:
                try:
                    _erase(reading, erasing, order, (job_id,), done, dry_run=dry_run)
                except Held:
                    done.held.append(job_id)
        seen += len(chunk)
        progress(seen, len(jobs))
    if order.person.value and not dry_run and not done.held:
        try:
            row = erasing.execute(
                SQL["erase_beside"], (order.project, order.person.value)
            ).fetchone()
        except psycopg.errors.ObjectInUse as error:
            raise Busy(str(error.diag.message_primary), retry_after_s=60) from error
        done.beside = int(row[0]) if row else 0
    return done


def _jobs(connection: Connection[Any], order: Order) -> Iterable[UUID]:
    """The jobs whose bodies have to be looked at."""
    found = set(order.jobs)
    if found:
        rows = connection.execute(SQL["bodies"], (list(found), order.project)).fetchall()
        if missing := found - {row[0] for row in rows}:
            raise UnknownJob(f"There is no job {min(missing)} in project {order.project!r}.")
    if order.person.value:
        # As it stands within a JSON text.
        written = pydantic_core.to_json(order.person.value)[1:-1]
        found |= {row[0] for row in connection.execute(SQL["holding"], (order.project, written))}
    return found


def _erase(
    reading: Connection[Any],
    erasing: Connection[Any],
    order: Order,
    jobs: Sequence[UUID],
    done: Done,
    *,
    dry_run: bool,
) -> None:
    for _ in range(settings.ERASE_TRIES_MAX):
        rows = reading.execute(SQL["bodies"], (list(jobs), order.project)).fetchall()
        rewritten = [
            _rewritten(order, list(history)) for _, history in groupby(rows, key=lambda row: row[0])
        ]
        rewritten = [one for one in rewritten if one.bodies]
        bodies = [
            [position, body.decode()] for one in rewritten for position, body in one.bodies.items()
        ]
        if bodies and not dry_run:
            batch = store.encode_batch([one.unit for one in rewritten]).decode()
            try:
                erasing.execute(SQL["erase"], (pydantic_core.to_json(bodies).decode(), batch))
            except psycopg.errors.SerializationFailure:
                # Somebody appended to one of them: its newest event may name the person too.
                continue
            except psycopg.errors.ObjectInUse as error:
                raise Held(str(error.diag.message_primary)) from error
        done.jobs += len(rewritten)
        done.bodies += len(bodies)
        done.fields |= {name for one in rewritten for name in one.fields}
        return
    raise Busy("Others keep changing these jobs.", retry_after_s=5)


@dataclass(frozen=True, slots=True)
class _Rewritten:
    bodies: Mapping[int, bytes]
    fields: frozenset[str]
    unit: Unit


def _rewritten(order: Order, history: Sequence[Row]) -> _Rewritten:
    """The bodies of one job that change, by position, and the unit that says so."""
    job_id, last = history[0][0], history[-1][1]
    first = pydantic_core.from_json(history[0][4])
    own = job_id in order.jobs or first["event"].get("owner") == order.person.value
    bodies: dict[int, bytes] = {}
    hashes: list[ErasedBody] = []
    fields: frozenset[str] = frozenset()
    for _, version, position, _, state in history:
        left, erased = without(pydantic_core.from_json(state), order.person, own=own)
        if erased:
            body = pydantic_core.to_json(left)
            bodies[position] = body
            hashes.append(ErasedBody(version=version, sha256=sha256(body).hexdigest()))
            fields |= erased
    said = [
        Erased(
            reason=order.reason,
            fields=tuple(sorted(fields)),
            everything=order.everything,
            bodies=part,
        )
        for part in _parts(hashes, settings.ERASE_BODIES_MAX)
    ]
    envelope = Envelope(order.project, order.by)
    entries = tuple(
        Entry.of(job_id, last + nth, uuid7(), one, envelope) for nth, one in enumerate(said, 1)
    )
    return _Rewritten(bodies, fields, Unit(entries))


def _parts(items: Sequence[Item], length: int) -> Iterator[tuple[Item, ...]]:
    """The items in order, so many at a time."""
    for start in range(0, len(items), length):
        yield tuple(items[start : start + length])
