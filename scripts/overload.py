"""`./scripts/overload`: more load than a ledger can carry, and what becomes of it.

First the capacity, by as many callers as keep it busy; then arrivals at 0.5, 1, 2 and 5 times of it, whatever becomes of those before; then slow
clients beside ordinary ones, and a greedy tenant beside a quiet one. Invariants: load comes from processes of its own; memory is the server's, as
the kernel counts it; figures are of this machine in this minute. Units: requests per second, milliseconds, MiB. Errors: RuntimeError."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[1]
CALLERS = 64  # connections that find the capacity
CONNECTIONS = 900  # that arrivals may have open
FACTORS = (0.5, 1.0, 2.0, 5.0)
GREEDY_FACTOR = 5.0  # of the capacity: what the greedy tenant asks
QUIET_RATE = 10.0  # of the quiet tenant
SLOW_EACH = 100  # slow clients of each kind
CALM_MS = 50.0  # recovered: so quickly answered again, ten times in a row
READY_S = 60.0

Figures = dict[str, Any]


@dataclass
class Stage:
    """A ledger that serves, and two tenants of it. `peak_mib` is the most memory that the server had since it was last asked."""

    pid: int
    port: int
    keys: dict[str, str] = field(default_factory=dict)
    _peak_mib: float = 0.0

    def watch(self, enough: threading.Event) -> None:
        """Look at the server's memory until told otherwise."""
        while not enough.wait(0.05):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    self._peak_mib = max(self._peak_mib, int(line.split()[1]) / 1_024)

    def peak_mib(self) -> float:
        """And begin anew."""
        found, self._peak_mib = self._peak_mib, 0.0
        return round(found, 1)

    def start(self, module: str, project: str, *words: object) -> subprocess.Popen[str]:
        """A process of load on this ledger."""
        command = [
            sys.executable,
            "-m",
            f"scripts.overloading.{module}",
            str(self.port),
            self.keys[project],
            project,
        ]
        return subprocess.Popen(
            [*command, *map(str, words)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
        )

    def arrivals(self, project: str, rate: float, seconds: float, connections: int) -> Figures:
        """Arrivals to their end, and the memory meanwhile."""
        self.peak_mib()
        cpu_s = self.cpu_s()
        figures = told(self.start("arrivals", project, rate, seconds, connections))
        return {
            **figures,
            "server_cpu": round((self.cpu_s() - cpu_s) / seconds, 2),
            "memory_mib": self.peak_mib(),
        }

    def cpu_s(self) -> float:
        """Processor time of the process that answers, so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def recovery_s(self) -> float:
        """How long until ten requests in a row are answered as in calm."""
        began_s = time.monotonic()
        calm = 0
        while calm < 10:
            if time.monotonic() > began_s + READY_S:
                raise RuntimeError("the ledger did not recover")
            asked_s = time.monotonic()
            calm = calm + 1 if self._one() and (time.monotonic() - asked_s) * 1_000 < CALM_MS else 0
        return round(time.monotonic() - began_s, 2)

    def _one(self) -> bool:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/projects/quiet/jobs",
            data=b'{"type":"Calm"}',
            headers={"Authorization": f"Bearer {self.keys['quiet']}", "Prefer": "respond-async"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return bool(answer.status == 201)
        except OSError:
            return False


def told(process: subprocess.Popen[str]) -> Figures:
    """What a process of load says at its end."""
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load ended with {process.returncode}")
    figures: Figures = json.loads(said)
    return figures


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A new ledger, served until the block ends."""
    jobledger = [sys.executable, "-m", "api.cli"]
    environment = {**os.environ, "LEDGER_DATA": str(folder), "LEDGER_LOG_LEVEL": "error"}
    serving = subprocess.Popen(
        [*jobledger, "serve", "--port", "0"],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    enough = threading.Event()
    try:
        assert serving.stdout is not None
        stage = Stage(serving.pid, int(serving.stdout.readline().rpartition(":")[2]))
        for project in ("greedy", "quiet"):
            words = ["keys", "create", "--project", project, "--scope", "jobs:write", "--json"]
            made = subprocess.run(
                [*jobledger, *words],
                cwd=CHECKOUT,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            stage.keys[project] = json.loads(made.stdout)["key"]
        watching = threading.Thread(target=stage.watch, args=(enough,), daemon=True)
        watching.start()
        yield stage
    finally:
        enough.set()
        serving.send_signal(signal.SIGTERM)
        serving.wait(READY_S)


def measured(stage: Stage, seconds: float) -> Figures:
    """Everything, in turn."""
    stage.arrivals("greedy", 0, seconds / 2, CALLERS)  # warm
    peak = stage.arrivals("greedy", 0, seconds, CALLERS)
    capacity = float(peak["goodput"])
    found: Figures = {"peak": peak, "arrivals": {}}
    before = capacity
    for factor in FACTORS:
        figures = stage.arrivals("greedy", capacity * factor, seconds, CONNECTIONS)
        figures["recovery_s"] = stage.recovery_s()
        # Disks have spells: a share is of the peaks before and behind it.
        behind = float(stage.arrivals("greedy", 0, seconds / 2, CALLERS)["goodput"])
        figures["share_of_peak"] = round(figures["goodput"] / ((before + behind) / 2), 2)
        before = behind
        found["arrivals"][str(factor)] = figures
    found["slow clients"] = beside(stage, "slow", capacity, seconds)
    found["greedy tenant"] = beside(stage, "arrivals", capacity, seconds)
    return found


def beside(stage: Stage, what: str, capacity: float, seconds: float) -> Figures:
    """The quiet tenant alone, and beside slow clients or a greedy tenant."""
    alone = stage.arrivals("quiet", QUIET_RATE, seconds, 50)
    words: tuple[object, ...] = (seconds + 2, SLOW_EACH)
    if what == "arrivals":
        words = (capacity * GREEDY_FACTOR, seconds + 2, CONNECTIONS)
    others = stage.start(what, "greedy", *words)
    time.sleep(1)  # they come first
    quiet = stage.arrivals("quiet", QUIET_RATE, seconds, 50)
    return {
        "quiet alone": alone,
        "quiet": quiet,
        "others": told(others),
        "recovery_s": stage.recovery_s(),
    }


def said(found: Figures) -> str:
    """The figures as a table for people."""
    lines = [
        f"peak {found['peak']['goodput']:.0f}/s with {CALLERS} callers, p99 {found['peak']['p99_ms']} ms"
    ]
    for factor, one in found["arrivals"].items():
        lines.append(
            f"{factor:>4} of it: goodput {one['goodput']:.0f}/s ({one['share_of_peak']:.2f} of peak), p99 of the accepted {one['p99_ms']} ms,"
            f" refused {one['refused']} (without Retry-After {one['without Retry-After']}), failed {one['failed']}, dropped {one['dropped']},"
            f" unanswered {one['unanswered']}, unsent {one['unsent']}, memory {one['memory_mib']} MiB, calm again after {one['recovery_s']} s;"
            f" the load was late by {one['late_p99_ms']} ms (p99) and took {one['cpu']} of a core, the server {one['server_cpu']}"
        )
    for name in ("slow clients", "greedy tenant"):
        one = found[name]
        lines.append(
            f"{name}: the quiet tenant's p99 {one['quiet']['p99_ms']} ms ({one['quiet alone']['p99_ms']} alone),"
            f" refused {one['quiet']['refused']} of {one['quiet']['sent']}, memory {one['quiet']['memory_mib']} MiB; others {one['others']}"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(prog="./scripts/overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each step")
    parser.add_argument("--json", action="store_true", help="one document for programs")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jl-") as folder:
        Path(folder).chmod(0o755)
        with staged(Path(folder)) as stage:
            found = {"load_before": os.getloadavg()[0], **measured(stage, asked.seconds)}
    print(json.dumps(found) if asked.json else said(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
