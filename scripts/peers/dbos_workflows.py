"""DBOS: durable workflows in PostgreSQL, end to end. Each caller runs workflow after workflow, of one step each.

Invariants: a workflow counts when it has returned, and with that was recorded. Run as `-m scripts.peers.dbos_workflows DSN CALLERS`.
Units: workflows a second."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS

from scripts.peers.turns import taken


@DBOS.step()
def step() -> None:
    """Nothing: what is measured is the keeping of it."""


@DBOS.workflow()
def workflow() -> None:
    """One job."""
    step()


def main() -> None:
    """Take turns."""
    dsn, callers = sys.argv[1], int(sys.argv[2])
    DBOS(
        config={
            "name": "bench",
            "system_database_url": dsn,
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    with ThreadPoolExecutor(callers) as threads:

        def play(deadline: float) -> int:
            done = 0
            while time.perf_counter() < deadline:
                workflow()
                done += 1
            return done

        def turn(seconds: float) -> float:
            began = time.perf_counter()
            done = sum(threads.map(play, [began + seconds] * callers))
            return done / (time.perf_counter() - began)

        taken(turn)
    DBOS.destroy()


if __name__ == "__main__":
    main()
