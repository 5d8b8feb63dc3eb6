"""Counts: what an import did.

Invariants: what was saved is counted once, when the database has said so. Units: a row of a table is a job, one of transitions a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api.transfer.columns import Plain
from ledger.bulk import Addition


@dataclass(slots=True)
class Counts:
    """Jobs made, events appended, rows that were there already, and where that left the log."""

    jobs: int = 0
    events: int = 0
    already: int = 0
    position: int = 0

    def add(self, head: int, saved: Iterable[Plain | Addition]) -> None:
        """These were saved in one commit, behind `head`."""
        before = self.events
        for one in saved:
            if isinstance(one, Plain):
                self.jobs += len(one.rows)
                self.events += one.events
            else:
                self.jobs += one.after == 0
                self.events += len(one.claims)
        self.position = max(self.position, head + self.events - before)
