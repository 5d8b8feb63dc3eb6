"""The beat: when a follower that has folded looks at the log again, by a clock that all followers of a machine share.

Invariants: followers with beats of one length fold at the same moments, so that an event is seen in all read models after one rest, not after the
longest of several; beats are long only while nobody waits and a fold after a short one would have many events, which on a slow machine are fewer a
second, from writers who wait for each other, or twice as many: a quick machine has as many at half of what it can take, and time for short beats.
Units: seconds of the monotonic clock. Errors: those of who is asked about a crowd."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, inf
from typing import Final

from ledger import settings

_LEARNT: Final = 1 / 4  # what one fold says of the next
_FORGOTTEN: Final = 1 / 32  # and of it after a long beat, so that those last for about a second
_ANYHOW: Final = 2  # times as many events as a rush has: it is one whoever wrote them


class Beat:
    """What one follower knows of the folds behind it."""

    def __init__(self) -> None:
        self._began_s = 0.0
        self._events_s = 0.0  # how many a second have come lately
        self._short_s = settings.FOLD_BEAT_S  # from one fold to the next, where beats are short
        self._rush = False
        self._calm_s = -inf  # when it last looked like none

    def after(
        self,
        began_s: float,
        ended_s: float,
        events: int,
        *,
        awaited: bool,
        crowded: Callable[[], bool],
    ) -> float:
        """When to look again after a fold of so many events. `awaited`: somebody waits for them; `crowded` tells whether writers wait for each
        other."""
        since_s, self._began_s = began_s - self._began_s, began_s
        self._learn(since_s)
        # Counted over more than one fold: commits come now two between beats and now none.
        over_s = max(since_s, 2 * settings.FOLD_BEAT_S_MAX)
        self._events_s += (events - since_s * self._events_s) / over_s
        many, rush = self._events_s * self._short_s, settings.FOLD_RUSH_EVENTS
        if awaited or many <= rush or not (many > _ANYHOW * rush or crowded()):
            self._calm_s = began_s
        # All who were kept waiting come at once, too: what is over within a long beat is worth none.
        self._rush = began_s - self._calm_s > settings.FOLD_BEAT_S_MAX
        length_s = settings.FOLD_BEAT_S_MAX if self._rush else settings.FOLD_BEAT_S
        # On a busy machine folds take long, and are to become larger, not more frequent.
        least_s = min((ended_s - began_s) / 4, settings.FOLD_BEAT_S_MAX)
        return (floor((ended_s + least_s) / length_s) + 1) * length_s

    def _learn(self, since_s: float) -> None:
        """How long it takes from fold to fold. In a rush nobody sees what short beats would take, so that they are tried again after a while."""
        if self._rush:
            self._short_s += (settings.FOLD_BEAT_S - self._short_s) * _FORGOTTEN
        else:
            seen_s = min(since_s, settings.FOLD_BEAT_S_MAX)
            self._short_s += (seen_s - self._short_s) * _LEARNT
