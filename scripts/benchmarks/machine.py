"""The machine that figures were taken on, in the words that matter to them."""

from __future__ import annotations

import os
import platform
import statistics

import psycopg

from ledger import embedded
from scripts.benchmarks.disk import Disk


def load() -> float:
    """How many processes wanted to run in the last minute: to be asked before the benchmark's own do."""
    return round(os.getloadavg()[0], 2)


def note(server: embedded.Server, disk: Disk, load_before: float) -> dict[str, object]:
    """Processors, versions, what else went on, and how the disk was meanwhile."""
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute("SELECT current_setting('server_version')").fetchone()
    looks = disk.looks_ms
    return {
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "postgresql": row[0] if row else None,
        "python": platform.python_version(),
        "load_before": load_before,
        "fdatasync_ms": {
            "median": round(statistics.median(looks), 3),
            "min": round(min(looks), 3),
            "max": round(max(looks), 3),
        },
        "slots_on_a_restless_disk": disk.restless,
    }
