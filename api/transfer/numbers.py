"""Job numbers, drawn ahead from the sequence that everybody draws from.

Invariants: nobody else gets a number that was drawn here; what is not used is given back and used next, and what is left at the end stays a gap.
Errors: psycopg's own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ledger import bulk, settings
from ledger.store import Connection


class Numbers:
    """The numbers of one import. `lookup` is where they are drawn."""

    def __init__(self, lookup: Connection) -> None:
        self._lookup = lookup
        self._at_hand: deque[int] = deque()
        self._drawn = 0

    def next(self) -> int:
        """A number. `draw` sees to it that there are enough."""
        return self._at_hand.popleft()

    async def draw(self, count: int) -> None:
        """Have at least so many at hand. What is drawn ahead grows with what was used, and so do the gaps that it may leave."""
        if len(self._at_hand) < count:
            ahead = min(self._drawn, settings.IMPORT_EVENTS_MAX)
            count = max(count, settings.NUMBERS_AHEAD, ahead)
            self._at_hand.extend(await bulk.numbers(self._lookup, count))
            self._drawn += count

    def give_back(self, numbers: Iterable[int]) -> None:
        """These were not used: they come next, in their order."""
        self._at_hand.extendleft(reversed([*numbers]))
