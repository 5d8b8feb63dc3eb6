"""The load: a process of its own that plays many HTTP clients, as cheaply as Python can.

Invariants: one request at a time on each connection, built beforehand; every answer's status is looked at, and an answer that comes after the slot
is waited for but not counted in the rate. A new job's id is read from its body or, where there is none, from its address. An order may ask for so
many requests a second instead of as many as come back, and for what was answered: when, by the machine's monotonic clock, and the position. Orders
and results are lines of JSON on stdin and stdout; it ends when stdin does.
Units: seconds in, milliseconds out. Errors: an order with an answer other than 2xx is answered with {"fault": ...}."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from functools import partial
from typing import Any, Final, cast

import uvloop

from scripts.benchmarks.slot import tallied

DRAIN_S = 10.0  # how long the last answers may take
ID_BYTES: Final = 36
HOLE: Final = b"{id}"  # in a request: where the id of the job that this connection created goes


class _Slot:
    """What the connections of one order share."""

    def __init__(self, order: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        self.steps = [step.encode() for step in order["steps"]]
        self.pace_s = order["connections"] / order["rate"] if order["rate"] else 0.0
        self.tells = order["tells"]
        self.told: list[tuple[float, int]] = []
        self.deadline = float("inf")
        self.times: list[float] = []
        self.late: list[float] = []
        self.answered = 0
        self.body_bytes = 0
        self.busy = 0
        self.quiet = asyncio.Event()
        self.fault: str | None = None
        self.loop = loop

    def fail(self, fault: str) -> None:
        self.fault = self.fault or fault
        self.deadline = 0.0
        self.quiet.set()


class _Client(asyncio.Protocol):
    """One connection: send, wait for the whole answer, send the next."""

    def __init__(self, slot: _Slot, step: int) -> None:
        self._slot = slot
        self._step = step
        self._unread = b""
        self._job_id = b""
        self._sent_at = 0.0
        self._due_at = 0.0
        self._waits = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def send(self) -> None:
        """Send the next request."""
        request = self._slot.steps[self._step]
        if HOLE in request:
            request = request.replace(HOLE, self._job_id)
        self._waits = True
        self._sent_at = time.perf_counter()
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        answer = self._unread + data if self._unread else data
        head = answer.find(b"\r\n\r\n")
        if head < 0:
            self._unread = answer
            return
        at = answer.find(b"content-length: ", 0, head)
        if at >= 0:
            length = int(answer[at + 16 : answer.find(b"\r", at)])
        elif answer[9:12] == b"204":
            length = 0
        else:
            self._slot.fail(f"An answer has no content-length: {answer[:head]!r}")
            return
        if len(answer) < head + 4 + length:
            self._unread = answer
            return
        self._unread = b""
        self._answered(answer, head + 4)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waits:
            self._slot.fail(f"The server closed a connection before it answered: {exc}")

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _answered(self, answer: bytes, body: int) -> None:
        now = time.perf_counter()
        slot = self._slot
        self._waits = False
        if answer[9:10] != b"2":
            slot.fail(f"An answer is not 2xx: {answer[:600].decode(errors='replace')}")
            return
        slot.answered += 1
        slot.body_bytes = len(answer) - body
        if slot.tells:
            found = answer.find(b"ledger-position: ") + 17
            slot.told.append((now, int(answer[found : answer.find(b"\r", found)])))
        if HOLE not in slot.steps[self._step] and answer[9:12] == b"201":
            self._job_id = _new_id(answer, body)
        self._step = (self._step + 1) % len(slot.steps)
        (slot.times if now < slot.deadline else slot.late).append(now - self._sent_at)
        self._due_at = max(now, self._due_at + slot.pace_s)
        if self._due_at >= slot.deadline:
            self._rest()
        elif slot.pace_s:
            slot.loop.call_at(slot.loop.time() + self._due_at - now, self.send)
        else:
            self.send()

    def begin(self, at: float) -> None:
        """Send the first request at its time."""
        self._due_at = at
        self._slot.loop.call_at(self._slot.loop.time() + at - time.perf_counter(), self.send)

    def _rest(self) -> None:
        slot = self._slot
        slot.busy -= 1
        if slot.busy == 0:
            slot.quiet.set()


def _new_id(answer: bytes, body: int) -> bytes:
    if len(answer) == body:
        end = answer.find(b"\r", answer.find(b"\r\nlocation: ") + 2)
        return answer[end - ID_BYTES : end]
    found = answer.find(b'"id":"', body) + 6
    return answer[found : found + ID_BYTES]


def _itself(client: _Client) -> _Client:
    return client


async def _play(order: dict[str, Any]) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    slot = _Slot(order, loop)
    stride = len(slot.steps) // order["connections"] if order["spread"] else 0
    clients = []
    for nth in range(order["connections"]):
        client = _Client(slot, nth * stride)
        await loop.create_connection(partial(_itself, client), "127.0.0.1", order["port"])
        clients.append(client)
    slot.busy = len(clients)
    began = time.perf_counter()
    slot.deadline = began + order["slot_s"]
    for nth, client in enumerate(clients):
        if slot.pace_s:
            client.begin(began + nth * slot.pace_s / len(clients))
        else:
            client.send()
    try:
        await asyncio.wait_for(slot.quiet.wait(), order["slot_s"] + DRAIN_S)
    except TimeoutError:
        slot.fail(f"An answer took more than {DRAIN_S:g} s.")
    took_s = time.perf_counter() - began
    for client in clients:
        client.close()
    await asyncio.sleep(0)  # let the transports close
    if slot.fault:
        return {"fault": slot.fault, "told": slot.told}
    measured = tallied(slot.times, slot.late, order["slot_s"], took_s)
    return {
        "rate": measured.rate,
        "p50_ms": measured.p50_ms,
        "p99_ms": measured.p99_ms,
        "answered": slot.answered,
        "body_bytes": slot.body_bytes,
        "told": slot.told,
    }


def main() -> None:
    """Play one order a line."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            gc.collect()
            gc.disable()  # nothing here makes cycles, and a pause would look like the server's
            answer = runner.run(_play(json.loads(line)))
            gc.enable()
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
