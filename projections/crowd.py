"""A crowd: whether writers wait for each other, so that it counts more how much is written than how soon it is seen.

Invariants: the log itself tells, on a machine of any speed: the events of a commit share their time of record, and the busier a ledger is the more
callers share a commit. It is asked ten times a second at most, about the last events alone. Units: positions, seconds of the monotonic clock.
Errors: psycopg's own."""

from __future__ import annotations

import time
from math import inf
from typing import Any, Final

from psycopg import Connection

from ledger import sql

SQL: Final = sql.load(__file__)
SHARED: Final = 9  # a commit of a crowd has more events: there are 4 at half of what a ledger can take, 11 at its peak
EVENTS: Final = 250  # so many of the last tell: those of a twentieth of a second in a rush
LOOK_S: Final = 0.1  # how often the log is asked at most


class Crowd:
    """What one follower knows of it."""

    def __init__(self) -> None:
        self._looked_s = -inf
        self._there = False

    def there(self, connection: Connection[Any], reached: int) -> bool:
        """Whether there was one lately, by the events up to this position."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_S:
            self._there = _seen(connection, reached)
            self._looked_s = now_s
        return self._there


def _seen(connection: Connection[Any], reached: int) -> bool:
    start = max(0, reached - EVENTS)
    row = connection.execute(SQL["commits"], (start, reached), prepare=True).fetchone()
    assert row is not None
    return bool(reached - start > row[0] * SHARED)
