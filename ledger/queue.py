"""The queue: writes in the order in which they came, handed out to be decided.

Invariants: no two writes of one job are ever under way at once, and those of one job are handed out in the order in which they came; the next commit
is bounded in writes, events and bytes. A write is under way from `take` to `release`. Errors: none."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from uuid import UUID

from ledger import settings
from ledger.waiting import Waiting


class Queue:
    """Writes that are not under way yet. `busy` names the jobs of those that are."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._held: list[Waiting] = []
        self._held_ids: set[UUID] = set()
        self.busy: set[UUID] = set()
        # Of the next commit: what was handed out for it.
        self._units = self._events = self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._held)

    @property
    def ready(self) -> int:
        """Those that do not wait for others of their jobs, as far as is known."""
        return len(self._waiting)

    def add(self, waiting: Waiting) -> None:
        """One more, behind all others."""
        self._waiting.append(waiting)

    def take(self, units_max: int) -> list[Waiting]:
        """The next writes that can be decided, at most so many: none when the next commit is full."""
        taken: list[Waiting] = []
        while self._waiting and len(taken) < units_max and self._units < settings.COMMIT_UNITS_MAX:
            waiting = self._waiting[0]
            job_ids = waiting.job_ids
            if self.busy.isdisjoint(job_ids) and self._held_ids.isdisjoint(job_ids):
                if not self._fits(waiting):
                    break
                taken.append(waiting)
                self.busy |= job_ids
                self._count(waiting)
            else:
                # Those behind it that touch one of its jobs have to wait for it, too.
                self._held.append(waiting)
                self._held_ids |= job_ids
            self._waiting.popleft()
        return taken

    def release(self, done: Iterable[Waiting], again: Sequence[Waiting] = ()) -> None:
        """These are under way no longer; some are to be decided again, before those that came after them."""
        for waiting in done:
            self.busy -= waiting.job_ids
        self._waiting.extendleft(reversed(self._held))
        self._waiting.extendleft(reversed(again))
        self._held.clear()
        self._held_ids.clear()

    def ahead(self, writes: Iterable[Waiting]) -> None:
        """These are all that was handed out for the next commit: the last has set out, or some of them need none."""
        self._units = self._events = self._size_bytes = 0
        for waiting in writes:
            self._count(waiting)

    def drain(self) -> list[Waiting]:
        """All of them, which wait here no longer: nobody will hand them out."""
        left = [*self._held, *self._waiting]
        self._held.clear()
        self._held_ids.clear()
        self._waiting.clear()
        return left

    def _fits(self, waiting: Waiting) -> bool:
        write = waiting.write
        return not self._units or (
            self._events + len(write.commands) <= settings.COMMIT_EVENTS_MAX
            and self._size_bytes + write.size_bytes <= settings.COMMIT_BYTES_MAX
        )

    def _count(self, waiting: Waiting) -> None:
        self._units += 1
        self._events += len(waiting.write.commands)
        self._size_bytes += waiting.write.size_bytes
