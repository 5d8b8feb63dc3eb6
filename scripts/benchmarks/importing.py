"""Bulk: a table of finished jobs through the product's import, and binary COPY of the very rows that it made.

Invariants: each import brings jobs that the ledger does not have, all of them are saved and none rejected; COPY gets its rows ready-made, and so is
timed without reading, deciding or encoding anything. Errors: Spoilt."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

from api.transfer.intake import Order, bring
from api.transfer.map import parse
from api.transfer.rejects import Rejects
from scripts.benchmarks import life
from scripts.benchmarks.child import started
from scripts.benchmarks.follow import SQL
from scripts.benchmarks.scene import Scene, copied, scene_on
from scripts.benchmarks.slot import Measured, Slot, Spoilt

MAP: Final = """
[job]
source_id = "id"
type = "kind"
command = {value = "Add"}
object = "server"
owner = "owner"
description = {value = "Add a server to the farm"}
detail = ["image", {column = "ram_mb", as = "number"}, "ip"]

[times]
created = "created"
queued = "queued"
started = "started"
ended = "ended"

[status]
column = "status"

[status.values]
done = "succeeded"
"""
_COLUMNS = (
    "id",
    "kind",
    "server",
    "owner",
    "image",
    "ram_mb",
    "ip",
    "created",
    "queued",
    "started",
    "ended",
    "status",
)
_made = count(1)
IMPORT_S = 900.0  # at most, on a crowded machine
ROWS_A_COPY = 100_000  # of 25,000 jobs
# Runs a command, and says what the largest of its processes held at most.
_PEAK: Final = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
    " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


@contextmanager
def further(scene: Scene) -> Iterator[Slot]:
    """Import into a ledger that has earlier imports already."""

    def slot(slot_s: float) -> Measured:
        return _imported(scene)

    yield slot
    scene.check_log()


def peak(times: int) -> Callable[[Scene], AbstractContextManager[Slot]]:
    """The command on a table so many times as long: what it holds at most."""

    @contextmanager
    def enter(host: Scene) -> Iterator[Slot]:
        jobs = times * max(1, host.ground.sizes.batch // 5)

        def slot(_: float) -> Measured:
            with scene_on(host.ground, host=host) as scene:
                return _peak(scene, jobs)

        yield slot

    return enter


@contextmanager
def first(scene: Scene) -> Iterator[Slot]:
    """Import into an empty ledger, a new one each time."""

    def slot(slot_s: float) -> Measured:
        with scene_on(scene.ground) as empty:
            return _imported(empty)

    yield slot


@contextmanager
def copied_further(scene: Scene) -> Iterator[Slot]:
    """COPY what the last import made behind what was copied before."""
    scene.control  # noqa: B018 - touched, so that it is there

    def slot(slot_s: float) -> Measured:
        return _copied(scene, "imported_since")

    yield slot


@contextmanager
def copied_first(scene: Scene) -> Iterator[Slot]:
    """COPY what an import made into an empty table with its indexes."""
    with scene_on(scene.ground) as empty:
        empty.control  # noqa: B018 - touched, so that it is there

        def slot(slot_s: float) -> Measured:
            empty.owner.execute(SQL["empty"])
            return _copied(scene, "imported_first", into=empty)

        yield slot


def _imported(scene: Scene) -> Measured:
    jobs = scene.ground.sizes.batch
    file = scene.ground.folder / f"jobs{next(_made)}.csv"
    _write(file, jobs)
    try:
        order = Order(file, life.PROJECT, parse(MAP), life.ACTOR)
        began = time.perf_counter()
        summary = bring(scene.dsn, order, Rejects(None))
        took_s = time.perf_counter() - began
        file_bytes = file.stat().st_size
    finally:
        file.unlink()
    if summary.rejected or (summary.counts.jobs, summary.counts.events) != (
        jobs,
        jobs * life.EVENTS_A_JOB,
    ):
        raise Spoilt(f"The import of {jobs} jobs came to: {summary}")
    beside = {"jobs": jobs, "file_bytes": file_bytes, "seconds": took_s}
    return Measured(summary.counts.events / took_s, beside=beside)


def _peak(scene: Scene, jobs: int) -> Measured:
    file = scene.ground.folder / f"jobs{next(_made)}.csv"
    map_file = scene.ground.folder / "map.toml"
    map_file.write_text(MAP, encoding="utf-8")
    _write(file, jobs)
    words = ["import", str(file), "--map", str(map_file), "--project", life.PROJECT]
    command = [sys.executable, "-c", _PEAK, sys.executable, "-m", "api.cli", *words]
    try:
        began = time.perf_counter()
        with started("jobledger import", command, scene.environment) as child:
            peak_kib = int(child.finish(IMPORT_S).split()[-1])
        took_s = time.perf_counter() - began
    finally:
        file.unlink()
    if scene.position() != jobs * life.EVENTS_A_JOB:
        raise Spoilt(f"The import of {jobs} jobs left {scene.position()} events.")
    return Measured(scene.position() / took_s, beside={"jobs": jobs, "peak_mib": peak_kib / 1024})


def _copied(scene: Scene, which: str, into: Scene | None = None) -> Measured:
    """Some rows after others, so that memory need not hold those of a million jobs; only the COPYs are timed."""
    left, took_s = scene.ground.sizes.batch * life.EVENTS_A_JOB, 0.0
    copied_events, into = 0, into or scene
    while left > 0:
        values = {"events": min(left, ROWS_A_COPY), "behind": copied_events}
        rows = scene.owner.execute(SQL[which], values).fetchall()
        began = time.perf_counter()
        copied_events += copied(into.owner, "copy", rows)
        took_s += time.perf_counter() - began
        left -= ROWS_A_COPY
    return Measured(copied_events / took_s, beside={"seconds": took_s})


def _write(file: Path, jobs: int) -> None:
    """A table as another system would have exported it."""
    batch = file.stem
    began = datetime.now(UTC) - timedelta(days=30)
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(_COLUMNS)
        for nth in range(jobs):
            creation = life.creation(nth=nth)
            created = began + timedelta(seconds=nth)
            times = [
                (created + timedelta(seconds=step)).isoformat() for step in range(life.EVENTS_A_JOB)
            ]
            words = (f"{batch}-{nth}", creation.type, creation.object, creation.owner)
            table.writerow((*words, *(creation.detail or {}).values(), *times, "done"))
