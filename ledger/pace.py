"""The pace: whether the next commit sets out before the callers of the last are told, or takes their next writes along.

Invariants: pure but for the clocks it reads; it changes when a write is sent, never what becomes of it. A commit costs the database some time however
few writes it has: where Python takes longer for all writes under way than that, parts that overlap are faster, and where the disk or the machine is
slow, one commit for all is. What Python takes for a write depends on how it came: most over HTTP. Units: seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from ledger import settings

ROW_S = 15e-6  # what one write takes of the database, in a commit of many
WRITE_S, WRITE_S_MAX = 25e-6, 150e-6  # what one takes of Python, from in process to over HTTP
NOTHING_S = 150e-6  # what any commit takes of Python, whatever it holds
_IDLE = 0.2  # of a commit's time: a loop that waited for so much of it saw the answer when it came
_SHARE = 1 / 8  # what one commit says beside those before it


class Pace:
    """How long a commit of nothing takes of late, and Python for a write, as far as one loop can tell. `used` is the processor time of its thread."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.perf_counter,
        used: Callable[[], float] = time.thread_time,
    ) -> None:
        self._clock = clock
        self._used = used
        self._began = self._began_used = 0.0
        self._nothing_s = 0.0
        self._write_s = WRITE_S
        self._landed_used = used()

    def departed(self) -> None:
        """A commit was sent."""
        self._began, self._began_used = self._clock(), self._used()

    def landed(self, writes: int) -> None:
        """The answer about so many writes was seen."""
        took_s, used = self._clock() - self._began, self._used()
        waited_s = took_s - (used - self._began_used)
        nothing_s = max(0.0, took_s - writes * ROW_S)
        if waited_s > _IDLE * took_s:
            self._nothing_s += (nothing_s - self._nothing_s) * _SHARE
        else:
            # We were busy with other writes, and it came some time before.
            self._nothing_s = min(self._nothing_s, nothing_s) * (1 - _SHARE)
        self._learn(writes, used)

    def _learn(self, writes: int, used: float) -> None:
        """What the loop did since the last answer was for these writes, beside what any commit takes of it; or, bounded, for reads."""
        before, self._landed_used = self._landed_used, used
        write_s = (used - before - NOTHING_S) / writes
        write_s = min(max(write_s, WRITE_S), WRITE_S_MAX)
        self._write_s += (write_s - self._write_s) * _SHARE

    @property
    def together(self) -> int:
        """As many writes as take Python as long as a commit of nothing takes. Where more are under way they had better set out by parts, which
        overlap, and fewer had better wait for others."""
        return max(settings.COMMIT_TOGETHER_MIN, int(self._nothing_s / self._write_s))

    def share(self, waiting: int) -> int:
        """How many of so many writes set out first: all of them, or where they are too many an equal part, so that no part waits long for another."""
        return -(-waiting // max(1, -(-waiting // self.together)))
