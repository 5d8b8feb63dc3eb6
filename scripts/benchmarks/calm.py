"""Calm: what readers and writers wait while nothing else goes on, and while a read model of a million events is made anew beside them.

Invariants: the same requests at the same rate, far below what the ledger can carry; a rebuild is under way from before the slot until after it.
Units: requests a second, milliseconds. Errors: Spoilt, ChildFailed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Literal

from scripts.benchmarks import appending, reading
from scripts.benchmarks.child import Child, started
from scripts.benchmarks.follow import SQL
from scripts.benchmarks.scene import START_S, Scene
from scripts.benchmarks.slot import Measured, Slot

RATE = 300.0
CONNECTIONS = 8
POLL_S = 0.01


def asked(
    what: Literal["get", "append"], *, rebuilding: bool
) -> Callable[[Scene], AbstractContextManager[Slot]]:
    """Gets or appends at a steady rate."""

    @contextmanager
    def enter(host: Scene) -> Iterator[Slot]:
        scene = host.among("1M")
        port = scene.product
        requests = reading.gets(scene) if what == "get" else appending.steps(scene, waits=False)

        def slot(slot_s: float) -> Measured:
            with ExitStack() as beside:
                if rebuilding:
                    beside.enter_context(_rebuilding(scene))
                return scene.load.play(
                    port,
                    requests,
                    connections=CONNECTIONS,
                    slot_s=slot_s,
                    rate=RATE,
                    spread=what == "get",
                ).measured

        yield slot

    return enter


@contextmanager
def _rebuilding(scene: Scene) -> Iterator[Child]:
    """`jobledger rebuild jobs`, from its first rows on; ended when it is not needed any more, which leaves the old read model in place."""
    command = [sys.executable, "-m", "api.cli", "rebuild", "jobs"]
    with started("jobledger rebuild", command, scene.environment) as child:
        deadline = time.monotonic() + START_S
        while not _is_under_way(scene):
            if time.monotonic() > deadline:
                raise child.failed("did not begin")
            time.sleep(POLL_S)
        yield child


def _is_under_way(scene: Scene) -> bool:
    row = scene.owner.execute(SQL["rebuilding"]).fetchone()
    return row is not None and bool(row[0])
