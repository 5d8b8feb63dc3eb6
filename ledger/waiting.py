"""A write whose caller waits for its outcome.

Invariants: an outcome is given once and stays. Errors: whatever refused the write is raised where the caller waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.commands import Write
from ledger.errors import LedgerError
from ledger.events import Recorded
from ledger.job import Job
from ledger.store import Unit


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a write: its jobs as it left them, in the order first named, and the events it appended.

    `position` is that of the last event the answer rests on. `replayed`: the write had been saved before, under the same key."""

    jobs: tuple[Job, ...]
    position: int
    recorded: tuple[Recorded, ...] = ()
    replayed: bool = False


@dataclass(eq=False, slots=True)
class Waiting:
    """A write, and what is known of it so far.

    `fresh`: its jobs must be read from the log before it is decided. `unit`: what it would append. `refusal`: why it may not."""

    write: Write
    future: asyncio.Future[Committed]
    attempts: int = 0
    fresh: bool = False
    unit: Unit | None = None
    refusal: LedgerError | None = None

    def resolve(self, committed: Committed) -> None:
        """The write is saved."""
        if not self.future.done():
            self.future.set_result(committed)

    def refuse(self, error: Exception) -> None:
        """The write is not saved, or nobody knows."""
        if not self.future.done():
            self.future.set_exception(error)


def refuse_all(batch: Sequence[Waiting], error: Exception) -> None:
    """Give all that have no outcome yet this one."""
    for waiting in batch:
        waiting.refuse(error)
