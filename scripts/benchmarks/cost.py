"""What a slot cost: processor time of each process of the product, per answer, which says what holds a figure back.

Invariants: only processes below the benchmark's own and below its PostgreSQL are counted; a process that ended within the slot is not. It reads
Linux's /proc, and says nothing elsewhere. Units: microseconds of processor time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
# What stands in a process's command line, and what it is called here. The first that fits.
_KINDS: Final = (
    ("api.cli serve", "server"),
    ("api.cli project", "projector"),
    ("scripts.benchmarks.bare", "server"),
    ("scripts.benchmarks.load", "load"),
    ("jobledger_projector", "database_folds"),
    ("postgres:", "database"),
)

Spent = dict[int, tuple[str, int]]


def spent(*roots: int) -> Spent:
    """Nanoseconds that each process below these has used so far, with its kind."""
    found: Spent = {}
    for pid in below(*roots):
        try:
            found[pid] = (_kind(_PROC / str(pid)), _nanoseconds(_PROC / str(pid)))
        except (OSError, IndexError):
            continue
    return found


def beside(before: Spent, after: Spent, answers: int) -> dict[str, float]:
    """Microseconds an answer between two looks, by kind of process."""
    us: dict[str, float] = {}
    for pid, (kind, now) in after.items():
        us[kind] = us.get(kind, 0.0) + (now - before.get(pid, (kind, 0))[1]) / 1000
    return {f"{kind}_cpu_us": round(took / max(1, answers), 1) for kind, took in us.items() if kind}


def below(*roots: int) -> Iterator[int]:
    """The processes that these have started, and those that they have."""
    parents: dict[int, int] = {}
    for process in _PROC.glob("[0-9]*"):
        with suppress(OSError, IndexError):
            parents[int(process.name)] = int(_read(process / "stat").rpartition(")")[2].split()[1])
    known = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in known} - known:
        known |= more
    yield from known - {os.getpid()}


def _kind(process: Path) -> str:
    words = _read(process / "cmdline").replace("\0", " ")
    return next((kind for word, kind in _KINDS if word in words), "")


def _nanoseconds(process: Path) -> int:
    # Of all its threads, those included that are not the main one.
    return sum(int(_read(task / "schedstat").split()[0]) for task in (process / "task").iterdir())


def _read(path: Path) -> str:
    return path.read_text(errors="replace")


def memory_mib(root: int) -> float:
    """What a process and those below it hold, pages shared by several divided among them."""
    return sum(_proportional_kib(_PROC / str(pid)) for pid in {root, *below(root)}) / 1024


def _proportional_kib(process: Path) -> int:
    with suppress(OSError):
        for line in _read(process / "smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
