"""A write whose caller waits for its outcome.

Invariants: an outcome is given once and stays. Errors: whatever refused the write is raised where the caller waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from ledger.commands import Write
from ledger.errors import LedgerError
from ledger.events import Recorded
from ledger.job import Job
from ledger.store import Unit


class Committed(NamedTuple):
    """What became of a write: its jobs as it left them, in the order first named, and the events it appended.

    `position` is that of the last event the answer rests on. `replayed`: the write had been saved before, under the same key."""

    jobs: tuple[Job, ...]
    position: int
    recorded: tuple[Recorded, ...] = ()
    replayed: bool = False


@dataclass(eq=False, slots=True)
class Waiting:
    """A write, and what is known of it so far.

    `fresh`: its jobs must be read from the log before it is decided. `unit`: what it would append. `refusal`: why it may not.
    `settled`: it has its outcome, which a caller that gave up no longer hears; `then` is called when it gets it."""

    write: Write
    future: asyncio.Future[Committed]
    attempts: int = 0
    fresh: bool = False
    unit: Unit | None = None
    refusal: LedgerError | None = None
    settled: bool = False
    then: Callable[[], None] | None = None
    job_ids: frozenset[UUID] = field(init=False)

    def __post_init__(self) -> None:
        # Asked for again and again on the way to the log.
        self.job_ids = self.write.job_ids

    def resolve(self, committed: Committed) -> None:
        """The write is saved."""
        if self._settle():
            self.future.set_result(committed)

    def refuse(self, error: Exception) -> None:
        """The write is not saved, or nobody knows."""
        if self._settle():
            self.future.set_exception(error)

    def _settle(self) -> bool:
        """This is the outcome, if there was none before; whether the caller still waits for it."""
        if self.settled:
            return False
        self.settled = True
        if self.then is not None:
            self.then()
        return not self.future.done()


def refuse_all(batch: Sequence[Waiting], error: Exception) -> None:
    """Give all that have no outcome yet this one."""
    for waiting in batch:
        waiting.refuse(error)
