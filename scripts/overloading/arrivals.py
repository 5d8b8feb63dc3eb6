"""Arrivals: requests that come at a rate whatever becomes of those before them, as the world sends them; or, at rate 0, as fast as answers come.

Invariants: an arrival's time counts from when it was due, not from when there was a connection for it; one that finds none is `unsent`. Whether
the load kept up with itself is told: `late_p99_ms` is by how much arrivals were sent after they were due, `cpu` how much of one core it took.
Run as `python -m scripts.overloading.arrivals PORT KEY PROJECT RATE SECONDS CONNECTIONS`; the figures go to stdout as JSON.
Units: requests per second, milliseconds. Errors: none; what went wrong is counted."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections import Counter, deque
from typing import cast

import uvloop

DRAIN_S = 10.0  # how long answers may still come after the last arrival
TICK_S = 0.002
BODY = b'{"type":"Overload","command":"run","object":"o","owner":"overload"}'


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._heard = b""
        self._due_s: float | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for the first request."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class does not say so

    def ask(self, due_s: float) -> None:
        """Send a request that was due at this time."""
        self._due_s = due_s
        self.transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        """Some of an answer, or all of it."""
        self._heard += data
        head, found, body = self._heard.partition(b"\r\n\r\n")
        if not found or self._due_s is None:
            return
        lowered = head.lower()
        begins = lowered.find(b"content-length:")
        length = int(lowered[begins + 15 :].split(b"\r\n", 1)[0]) if begins >= 0 else 0
        if len(body) < length:
            return
        due_s, self._due_s, self._heard = self._due_s, None, b""
        self._load.answered(int(head[9:12]), due_s, polite=b"retry-after:" in lowered)
        if b"connection: close" in lowered:
            self.transport.close()
        else:
            self._load.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server, or the end of the run, closed it."""
        self._load.lost(self, asked=self._due_s is not None)
        self._due_s = None


class Load:
    """All arrivals of one run."""

    def __init__(self, port: int, key: str, project: str, rate: float, connections: int) -> None:
        self._port, self._rate, self._connections_max = port, rate, connections
        self.request = (
            f"POST /v1/projects/{project}/jobs HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
            f"prefer: respond-async\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
        ).encode() + BODY
        self._idle: deque[Connection] = deque()
        self._open = 0
        self._due: deque[float] = deque()
        self._ending = False
        self.counts: Counter[str] = Counter()
        self.accepted_ms: list[float] = []
        self.late_ms: list[float] = []

    async def run(self, seconds: float) -> None:
        """Arrivals for so long, then answers for a while."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        arrived = 0
        while (passed_s := loop.time() - began_s) < seconds:
            if self._rate:
                while arrived < passed_s * self._rate:
                    due_s = began_s + arrived / self._rate
                    self.late_ms.append((loop.time() - due_s) * 1_000)
                    self._arrive(due_s)
                    arrived += 1
            else:
                while self._open < self._connections_max:
                    self._arrive(loop.time())
            await asyncio.sleep(TICK_S)
        self._ending = True
        until_s = loop.time() + DRAIN_S
        while self.waiting and loop.time() < until_s:  # noqa: ASYNC110 - a few looks at the very end
            await asyncio.sleep(TICK_S)
        self.counts["unanswered"] += self.waiting

    @property
    def waiting(self) -> int:
        """Requests whose answer is still to come."""
        gone = sum(self.counts[word] for word in ("accepted", "refused", "failed", "dropped"))
        return self.counts["sent"] - gone

    def _arrive(self, due_s: float) -> None:
        if self._idle:
            self._ask(self._idle.popleft(), due_s)
        elif self._open < self._connections_max:
            self._open += 1
            asyncio.get_running_loop().create_task(self._connect(due_s))
        else:
            self.counts["unsent"] += 1

    async def _connect(self, due_s: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(self), "127.0.0.1", self._port
            )
        except OSError:
            self._open -= 1
            self.counts["unsent"] += 1
        else:
            self._ask(connection, due_s)

    def _ask(self, connection: Connection, due_s: float) -> None:
        self.counts["sent"] += 1
        connection.ask(due_s)

    def answered(self, status: int, due_s: float, *, polite: bool) -> None:
        """Count one answer. `polite`: it says when to come back."""
        if status < 300:
            self.counts["accepted"] += 1
            self.accepted_ms.append((asyncio.get_running_loop().time() - due_s) * 1_000)
        elif status in (429, 503):
            self.counts["refused"] += 1
            self.counts["without Retry-After"] += not polite
        else:
            self.counts["failed"] += 1

    def free(self, connection: Connection) -> None:
        """A connection has nothing to do."""
        if not self._rate and not self._ending:
            self._ask(connection, asyncio.get_running_loop().time())
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection, *, asked: bool) -> None:
        """A connection is gone. `asked`: an answer was still to come."""
        self._open -= 1
        self.counts["dropped"] += asked
        if connection in self._idle:
            self._idle.remove(connection)


def quantile(values: list[float], share: float) -> float:
    """0 for nothing."""
    found = sorted(values)
    return round(found[min(len(found) - 1, int(share * len(found)))], 1) if found else 0.0


async def main(
    port: int, key: str, project: str, rate: float, seconds: float, connections: int
) -> None:
    """One run."""
    load = Load(port, key, project, rate, connections)
    before = resource.getrusage(resource.RUSAGE_SELF)
    await load.run(seconds)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    figures = {
        "rate": rate,
        "goodput": round(load.counts["accepted"] / seconds, 1),
        "p50_ms": quantile(load.accepted_ms, 0.5),
        "p99_ms": quantile(load.accepted_ms, 0.99),
        "max_ms": quantile(load.accepted_ms, 1.0),
        "late_p99_ms": quantile(load.late_ms, 0.99),
        "cpu": round(cpu_s / seconds, 2),
        **{word: load.counts[word] for word in WORDS},
    }
    print(json.dumps(figures))


WORDS = (
    "sent",
    "accepted",
    "refused",
    "without Retry-After",
    "failed",
    "dropped",
    "unanswered",
    "unsent",
)

if __name__ == "__main__":
    port, key, project, rate, seconds, connections = sys.argv[1:]
    uvloop.run(main(int(port), key, project, float(rate), float(seconds), int(connections)))
