"""The pace: whether the next commit sets out behind the last, or before its callers are told, or takes their next writes along.

Invariants: pure but for the clocks it reads; it changes when a write is sent, never what becomes of it. A commit costs the database some time however
few writes it has: where Python takes longer for all writes under way than that, parts that overlap are faster, and where the disk or the machine is
slow, one commit for all is. What Python takes for a write depends on how it came: most over HTTP. Units: seconds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from ledger import settings

ROW_S = 15e-6  # what one write takes of the database, in a commit of many
WRITE_S, WRITE_S_MAX = 25e-6, 150e-6  # what one takes of Python, from in process to over HTTP
NOTHING_S = 150e-6  # what any commit takes of Python, whatever it holds
_IDLE = 0.2  # of a commit's time: a loop that waited for so much of it saw the answer when it came
_SHARE = 1 / 8  # what one commit says beside those before it
_BALANCED = (
    1.5  # times as long as the database Python may take for some writes, and yet wait for it
)


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
        # When each commit that is under way was sent, and what had been used by then.
        self._sent: deque[tuple[float, float]] = deque()
        self._landed_at = 0.0
        # Whether the last answer was seen when it came.
        self._timely = True
        self._nothing_s = 0.0
        self._write_s = WRITE_S
        self._landed_used = used()

    def departed(self) -> None:
        """A commit was sent."""
        self._sent.append((self._clock(), self._used()))

    @property
    def under_way_s(self) -> float:
        """For how long the commit that was sent first is under way; 0 when none is."""
        return self._clock() - self._sent[0][0] if self._sent else 0.0

    def landed(self, writes: int) -> None:
        """The answer about so many writes was seen, of the commit that was sent first."""
        now, used = self._clock(), self._used()
        # The database begins with a commit that was sent behind another when that is done.
        sent, sent_used = self._sent.popleft()
        timely, behind = self._timely, sent < self._landed_at
        took_s = now - max(sent, self._landed_at)
        waited_s = took_s - (used - max(sent_used, self._landed_used))
        nothing_s = max(0.0, took_s - writes * ROW_S)
        self._timely = waited_s > _IDLE * took_s
        if behind and not timely:
            pass  # when the database began with it, nobody saw
        elif self._timely:
            self._nothing_s += (nothing_s - self._nothing_s) * _SHARE
        else:
            # We were busy with other writes, and it came some time before.
            self._nothing_s = min(self._nothing_s, nothing_s) * (1 - _SHARE)
        self._landed_at = now
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

    def behind(self, writes: int) -> bool:
        """Whether so many writes had better be sent behind a commit that is under way: a part of their own, of which the database has about as
        much to do as Python. Where Python has more, the database waits for it anyhow, and more writes come meanwhile for the same commit."""
        database_s = self._nothing_s + writes * ROW_S
        return writes >= self.together and writes * self._write_s < _BALANCED * database_s

    def share(self, waiting: int) -> int:
        """How many of so many writes set out first: all of them, or where they are too many an equal part, so that no part waits long for another."""
        return -(-waiting // max(1, -(-waiting // self.together)))
