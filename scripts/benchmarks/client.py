"""Our side of the load process: orders in, figures out.

Invariants: the process is started once a goal and used for every HTTP contestant of it, so that all have the same client.
Errors: Spoilt, when an answer was not 2xx."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scripts.benchmarks import cost
from scripts.benchmarks.child import Child, started
from scripts.benchmarks.load import DRAIN_S
from scripts.benchmarks.slot import Measured, Spoilt

START_S = 30.0  # seconds for the process to start and connect


@dataclass(frozen=True, slots=True)
class Played:
    """What one order came to. `answered` counts the answers after the slot, too; `told` is when each came, and its position, if asked for."""

    measured: Measured
    answered: int
    told: tuple[tuple[float, int], ...] = ()


class Load:
    """The running load process. `database_pid`: whose processes are counted as the database's."""

    def __init__(self, child: Child, database_pid: int) -> None:
        self._child = child
        self._roots = (os.getpid(), database_pid)

    def play(
        self,
        port: int,
        steps: Sequence[str],
        *,
        connections: int,
        slot_s: float,
        spread: bool = False,
        rate: float = 0.0,
        tells: bool = False,
    ) -> Played:
        """Send `steps` round and round on each connection for a slot; `spread`: each connection begins at another step.

        `rate`: so many a second on all of them, as far as they are answered in time; else as many as are answered."""
        before = cost.spent(*self._roots)
        answer = self._answer(port, steps, connections, slot_s, spread, rate, tells)
        if "fault" in answer:
            raise Spoilt(answer["fault"])
        costs = cost.beside(before, cost.spent(*self._roots), answer["answered"])
        beside = {"body_bytes": answer["body_bytes"], "connections": connections, **costs}
        measured = Measured(answer["rate"], answer["p50_ms"], answer["p99_ms"], beside)
        told = tuple((at, position) for at, position in answer["told"])
        return Played(measured, answer["answered"], told)

    def broken(self, port: int, steps: Sequence[str], connections: int, slot_s: float) -> list[int]:
        """The same while the server may be killed: the positions that were answered until then."""
        answer = self._answer(port, steps, connections, slot_s, False, 0.0, True)
        return [position for _, position in answer["told"]]

    def _answer(
        self,
        port: int,
        steps: Sequence[str],
        connections: int,
        slot_s: float,
        spread: bool,
        rate: float,
        tells: bool,
    ) -> dict[str, Any]:
        order = {
            "port": port,
            "steps": list(steps),
            "connections": connections,
            "slot_s": slot_s,
            "spread": spread,
            "rate": rate,
            "tells": tells,
        }
        self._child.say(json.dumps(order))
        answer: dict[str, Any] = json.loads(self._child.line(START_S + slot_s + DRAIN_S))
        return answer


@contextmanager
def loaded(database_pid: int) -> Iterator[Load]:
    """The load process, ended at the end."""
    with started("the load", [sys.executable, "-m", "scripts.benchmarks.load"]) as child:
        yield Load(child, database_pid)


def request(
    method: str, path: str, headers: Mapping[str, str] | None = None, body: str = ""
) -> str:
    """One HTTP/1.1 request as text."""
    fields = {"host": "127.0.0.1", **(headers or {})}
    if body:
        fields |= {"content-type": "application/json", "content-length": str(len(body.encode()))}
    lines = "".join(f"{name}: {word}\r\n" for name, word in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n{body}"
