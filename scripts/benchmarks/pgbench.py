"""PostgreSQL's own benchmark as the measure of this machine: durable transactions of one INSERT each into the plain table.

Invariants: the same server, settings and disk as the product; prepared statements, one thread a processor at most. Units: pgbench counts in whole
seconds, so a shorter slot is rounded up. Errors: Spoilt, when a transaction failed."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ledger.codec import encode
from ledger.events import Envelope
from scripts.benchmarks import life
from scripts.benchmarks.child import started
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Slot, Spoilt

_RATE = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)$", re.MULTILINE)
_LATENCY = re.compile(r"^latency average = ([0-9.]+) ms$", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: ([0-9]+)", re.MULTILINE)
OVERTIME_S = 60.0  # to connect and to end


def inserts(clients: int) -> Callable[[Scene], AbstractContextManager[Slot]]:
    """So many clients, one event a transaction each."""

    @contextmanager
    def enter(scene: Scene) -> Iterator[Slot]:
        scene.control  # noqa: B018 - touched, so that it is there
        script = scene.ground.folder / "insert.pgbench"
        script.write_text(_script(), encoding="utf-8")
        program = scene.ground.server.bin_dir / "pgbench"
        threads = min(clients, os.cpu_count() or 1)

        def slot(slot_s: float) -> Measured:
            length = ("-T", str(math.ceil(slot_s)))
            mode = ("-n", "-M", "prepared", "-c", str(clients), "-j", str(threads))
            command = [str(program), *mode, *length, "-f", str(script), scene.dsn]
            with started("pgbench", command) as child:
                return _measured(child.finish(slot_s + OVERTIME_S))

        yield slot

    return enter


def _script() -> str:
    # The bodies that the product stores, of the same sizes in the same shares.
    envelope: Any = Envelope(project=life.PROJECT, actor=life.ACTOR)
    states = [encode(event, envelope).decode() for event in (life.creation(1), *life.AFTERLIFE)]
    size = round(sum(map(len, states)) / len(states))
    body = f'{{"event":"{"x" * (size - 12)}"}}'
    return (
        "INSERT INTO control.events (originator_id, originator_version, topic, project, credential_id, state)"
        f" VALUES (gen_random_uuid(), 1, 'job.created', '{life.PROJECT}', '{'0' * 16}', convert_to('{body}', 'UTF8'));\n"
    )


def _measured(said: str) -> Measured:
    rate, latency, failed = (pattern.search(said) for pattern in (_RATE, _LATENCY, _FAILED))
    if rate is None or latency is None or failed is None or failed[1] != "0":
        raise Spoilt(f"pgbench failed: {said}")
    return Measured(float(rate[1]), beside={"mean_ms": float(latency[1])})
