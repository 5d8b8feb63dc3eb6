"""`./scripts/faults`: harm a ledger under load again and again, and join what its clients were told with what its log holds.

Invariants: the exit code is 0 when nothing was found. Units: seconds. Errors: a fault that cannot be made here is skipped, with the reason."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults.rig import Rig
from tests.faults.table import FAULTS, Fault

ROUNDS = 3
ANSWERS = 400  # requests over HTTP before each strike, at most
SMALL_DISK_BYTES = (
    384 * 1024 * 1024
)  # PostgreSQL's own files, its write-ahead log, and room for some work


class Impossible(Exception):
    """A fault cannot be made on this machine."""


@dataclass
class Report:
    """What became of one fault, or of several on one rig."""

    faults: tuple[str, ...]
    rounds: int = 0
    kill_rounds: int = 0
    skipped: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    recoveries_s: list[float] = field(default_factory=list)
    seconds: float = 0.0


@contextmanager
def small_disk(folder: Path, size_bytes: int = SMALL_DISK_BYTES) -> Iterator[Path]:
    """A file system of its own. Raises Impossible where nobody may mount one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=755", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Impossible(f"a small file system cannot be mounted here: {error}") from error
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def harm(folder: Path, faults: Sequence[Fault], rounds: int, answers: int) -> Report:
    """So many rounds of these faults in turn on one rig."""
    began_s = time.monotonic()
    report = Report(tuple(fault.name for fault in faults))
    data = None
    with ExitStack() as open_:
        try:
            if any(fault.small_disk for fault in faults):
                data = open_.enter_context(small_disk(folder / "disk"))
        except Impossible as error:
            report.skipped = str(error)
            return report
        rig = open_.enter_context(Rig(folder, data=data))
        for _ in range(rounds):
            for fault in faults:
                rig.round(fault.strike, answers)
                report.rounds += 1
                report.kill_rounds += fault.kills
        verdict = rig.settle()
        report.counts = dict(rig.counts)
        report.findings = [
            f"{finding.name}: {sentence}" for finding, sentence in verdict.findings[:50]
        ]
        report.recoveries_s = [round(one, 2) for one in rig.recoveries_s]
    report.seconds = round(time.monotonic() - began_s, 1)
    return report


def said(report: Report) -> str:
    """A report in a few lines."""
    name = ", ".join(report.faults)
    if report.skipped:
        return f"skipped {name}: {report.skipped}"
    counts = report.counts
    recovery = (
        f"{statistics.median(report.recoveries_s):.2f} s, at most {max(report.recoveries_s):.2f} s"
    )
    lines = [
        f"{'good ' if not report.findings else 'WRONG'} {name}: {report.rounds} rounds in {report.seconds:.0f} s, answered again after {recovery}",
        "      " + ", ".join(f"{word} {counts.get(word, 0)}" for word in _SHOWN),
        *(f"      {finding}" for finding in report.findings),
    ]
    return "\n".join(lines)


_SHOWN = (
    *(
        "acknowledged",
        "acknowledged over HTTP",
        "tries without an answer",
        "unknown",
        "unknown and saved",
        "refused",
        "false refusals",
        "replayed",
    ),
    *("events", "followed"),
)


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="./scripts/faults", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"strikes of each fault ({ROUNDS})"
    )
    parser.add_argument(
        "--answers",
        type=int,
        default=ANSWERS,
        help=f"HTTP requests before a strike, at most ({ANSWERS})",
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=[fault.name for fault in FAULTS]
    )
    parser.add_argument("--json", action="store_true", help="one document for programs")
    asked = parser.parse_args()
    chosen = [fault for fault in FAULTS if not asked.only or fault.name in asked.only]
    reports = []
    for fault in chosen:
        folder = Path(tempfile.mkdtemp(prefix="jl-"))
        folder.chmod(0o755)
        try:
            reports.append(harm(folder, [fault], asked.rounds, asked.answers))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if not asked.json:
            print(said(reports[-1]), flush=True)
    if asked.json:
        print(json.dumps([asdict(report) for report in reports]))
    else:
        acknowledged = sum(report.counts.get("acknowledged", 0) for report in reports)
        found = sum(len(report.findings) for report in reports)
        kills = sum(report.kill_rounds for report in reports)
        print(
            f"{sum(report.rounds for report in reports)} rounds, {kills} of them kills; {acknowledged} acknowledged; findings {found}"
        )
    return 1 if any(report.findings for report in reports) else 0


if __name__ == "__main__":
    raise SystemExit(main())
