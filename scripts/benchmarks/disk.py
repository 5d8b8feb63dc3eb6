"""The disk's mood: how long it takes to make a write durable, now.

Invariants: before a slot we wait for a calm moment, but neither long nor often: a slot on a disk that stays slow is measured and counted as
such, and its control, a moment later, suffers the same. Units: milliseconds per fdatasync, seconds to wait."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROBES = 15  # writes in one look: about what a group commit does in 10 ms
PAGE = bytes(8192)  # PostgreSQL's own page
LOOKS = 30  # at the start, to learn how quick it can be
CALM = 1.7  # times the best look so far
CALM_MS = 0.5  # a disk as quick as this is calm, however quick it was before
BUDGET = 40  # times the patience: how long a whole run may wait
PAUSE_S = 0.05  # between two looks at a disk that is not calm

_make_durable = getattr(os, "fdatasync", os.fsync)  # what PostgreSQL would call here


class Disk:
    """The disk that a folder lies on."""

    def __init__(self, descriptor: int, patience_s: float) -> None:
        self._descriptor = descriptor
        self._patience_s = patience_s
        self._budget_s = patience_s * BUDGET
        self.looks_ms: list[float] = []
        self.restless = 0

    def probe_ms(self) -> float:
        """The median time of a small write made durable, just now."""
        times = []
        for _ in range(PROBES):
            os.pwrite(self._descriptor, PAGE, 0)
            began = time.perf_counter()
            _make_durable(self._descriptor)
            times.append((time.perf_counter() - began) * 1000)
        look = statistics.median(times)
        self.looks_ms.append(look)
        return look

    def calm(self) -> float:
        """Wait until the disk is about as quick as it ever was; milliseconds of the last look."""
        began = time.monotonic()
        deadline = began + min(self._patience_s, self._budget_s)
        while (look := self.probe_ms()) > max(CALM_MS, CALM * min(self.looks_ms)):
            if time.monotonic() > deadline:
                self.restless += 1
                break
            time.sleep(PAUSE_S)
        self._budget_s -= time.monotonic() - began
        return look


@contextmanager
def disk_of(folder: Path, patience_s: float) -> Iterator[Disk]:
    """The disk under a folder, looked at through a file in it."""
    # Of this process alone: another bench on the same folder has one too.
    path = folder / f"probe-{os.getpid()}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, PAGE, 0)
        os.fsync(descriptor)
        disk = Disk(descriptor, patience_s)
        for _ in range(LOOKS):
            disk.probe_ms()
            time.sleep(PAUSE_S)
        yield disk
    finally:
        os.close(descriptor)
        path.unlink()
