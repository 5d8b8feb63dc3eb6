"""A crash: the load of the append slots, cut off by kill -9 of everything that the ledger is made of, and what is left of it.

Invariants: each slot has a PostgreSQL of its own, so that nobody else is harmed; server, projector, postmaster and all sessions are killed while
requests are under way; every position that was answered 2xx must be in the log after recovery. Errors: Spoilt, when nothing was answered,
or the log has holes."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg

from ledger import embedded
from scripts.benchmarks import appending, cost
from scripts.benchmarks.follow import SQL
from scripts.benchmarks.scene import Ground, Scene, scene_on
from scripts.benchmarks.slot import Measured, Slot, Spoilt

CONNECTIONS = 32
START_S, DEATH_S = 20.0, 20.0


@contextmanager
def killed(host: Scene) -> Iterator[Slot]:
    """Append, kill, recover, look."""

    def slot(slot_s: float) -> Measured:
        with tempfile.TemporaryDirectory(prefix="jobledger-bench-") as folder:
            server = embedded.start(Path(folder))
            try:
                ground = Ground(server, Path(folder), host.ground.sizes)
                with scene_on(ground, host=host) as scene:
                    return _round(scene, slot_s)
            finally:
                server.stop("immediate")

    yield slot


def _round(scene: Scene, slot_s: float) -> Measured:
    port, asked = scene.product, appending.steps(scene, waits=False)
    server = scene.ground.server
    killer = threading.Thread(target=_kill_amid, args=(scene, port, slot_s))
    killer.start()
    try:
        # Longer than they have to live.
        acked = scene.load.broken(port, asked, CONNECTIONS, START_S + slot_s + 5.0)
    finally:
        killer.join()
    deadline = time.monotonic() + DEATH_S
    while server.is_running():  # where others want the processor, it takes a while to die
        if time.monotonic() > deadline:
            raise Spoilt("PostgreSQL survived kill -9.")
        time.sleep(0.005)
    if not acked:
        raise Spoilt("Nothing was answered before the crash.")
    began = time.perf_counter()
    recovered = embedded.start(server.data_dir)
    try:
        recovered_s = time.perf_counter() - began
        with closing(psycopg.connect(scene.dsn, autocommit=True)) as owner:
            row = owner.execute(SQL["saved"], (acked,)).fetchone()
            log = owner.execute(SQL["log"]).fetchone()
    finally:
        scene.ground.server = recovered
    assert row is not None
    if len(set(log or ())) != 1:
        raise Spoilt("The log has holes after the crash.")
    beside = {
        "acknowledged": len(acked),
        "lost": len(set(acked)) - row[0],
        "recovered_s": recovered_s,
    }
    return Measured(len(acked) / slot_s, beside=beside)


def _kill_amid(scene: Scene, port: int, slot_s: float) -> None:
    """Kill all so long after the load has begun, which takes its time to connect where others want the processor."""
    deadline, idle_at = time.monotonic() + START_S, scene.position()
    while scene.position() == idle_at and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(slot_s)
    doomed = (scene.servers[port].pid, scene.ground.server.pid)
    # All at once, as when the power goes: first who would start the others again.
    for pid in (*doomed, *cost.below(*doomed)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
