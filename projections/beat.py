"""The beat: when a follower that has folded looks at the log again, by a clock that all followers of a machine share.

Invariants: followers with beats of one length fold at the same moments, so that an event is seen in all read models after one rest, not after the
longest of several; beats are long only while nobody waits and a fold after a short one would have many events, which on a slow machine are fewer a
second. Units: seconds of the monotonic clock. Errors: none."""

from __future__ import annotations

from math import floor
from typing import Final

from ledger import settings

_LEARNT: Final = 1 / 16  # what one fold says of the next: now and then one waits for a processor
_FORGOTTEN: Final = 1 / 32  # and of it after a long beat, so that those last for about a second
_LESS: Final = 0.7  # of the events that came at the height of a rush: it is over


class Beat:
    """What one follower knows of the folds behind it."""

    def __init__(self) -> None:
        self._began_s = 0.0
        self._events_s = 0.0  # how many a second have come lately
        self._short_s = settings.FOLD_BEAT_S  # from one fold to the next, where beats are short
        self._rush = False
        self._most_s = 0.0  # events a second at its height

    def after(self, began_s: float, ended_s: float, events: int, *, awaited: bool) -> float:
        """When to look again after a fold of so many events. `awaited`: somebody waits for them."""
        since_s, self._began_s = began_s - self._began_s, began_s
        # Counted over more than one fold: commits come now two between beats and now none.
        over_s = max(since_s, 2 * settings.FOLD_BEAT_S_MAX)
        self._events_s += (events - since_s * self._events_s) / over_s
        if self._events_s < self._most_s * _LESS:
            # What folds took at a peak does not hold behind it.
            self._short_s = settings.FOLD_BEAT_S
        # A machine whose folds take longer than a beat is at its peak with fewer; a quick one is at half of it with many, and has time.
        slower = self._short_s / settings.FOLD_BEAT_S
        many = self._events_s * self._short_s * slower > settings.FOLD_RUSH_EVENTS
        self._rush = many and not awaited
        self._most_s = max(self._most_s, self._events_s) if self._rush else 0.0
        length_s = settings.FOLD_BEAT_S_MAX if self._rush else settings.FOLD_BEAT_S
        # On a busy machine folds take long, and are to become larger, not more frequent.
        least_s = min((ended_s - began_s) / 4, settings.FOLD_BEAT_S_MAX)
        until_s = (floor((ended_s + least_s) / length_s) + 1) * length_s
        self._learn(until_s - began_s)
        return until_s

    def _learn(self, length_s: float) -> None:
        """How long it is from fold to fold while there is something to fold. In a rush nobody sees what short beats would take, so that they are
        tried again after a while."""
        if self._rush:
            self._short_s += (settings.FOLD_BEAT_S - self._short_s) * _FORGOTTEN
        else:
            seen_s = min(length_s, settings.FOLD_BEAT_S_MAX)
            self._short_s += (seen_s - self._short_s) * _LEARNT
