"""Rates: how often one credential may ask, in one process.

Invariants: a key that keeps to its rate is never refused; after a silence it may ask a second's worth at once; how many keys are remembered
is bounded, and one that is forgotten has only gained. Nothing is counted for a request that is refused. Units: requests, seconds of a clock
that never runs backwards. Errors: TooFast."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from api.faults import TooFast
from ledger import settings

BURST_S = 1.0  # a second's worth at once: workers that start together are no attack


class Rate:
    """The generic cell rate algorithm: one number a key, the time at which all that it asked for would have been due."""

    def __init__(self, per_s_max: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s_max = per_s_max
        self._clock = clock
        self._due_s: OrderedDict[str, float] = OrderedDict()

    def take(self, key_id: str) -> None:
        """One more request of this key. Raises TooFast, which says when the next one would do."""
        now_s = self._clock()
        due_s = max(self._due_s.get(key_id, now_s), now_s) + 1 / self._per_s_max
        # Half a request of tolerance, since sums of fractions are not exact.
        if due_s - now_s > BURST_S + 0.5 / self._per_s_max:
            raise TooFast(
                f"This key asks more than {self._per_s_max} times a second.",
                retry_after_s=math.ceil(due_s - now_s - BURST_S),
            )
        self._due_s[key_id] = due_s
        self._due_s.move_to_end(key_id)
        if len(self._due_s) > settings.KEYS_CACHED_MAX:
            self._due_s.popitem(last=False)
