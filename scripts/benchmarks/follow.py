"""How far the read models are behind the log, and waiting until they are not.

Units: seconds; events. Errors: Spoilt, when they do not come in good time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psycopg

from ledger import sql
from ledger.wake import CHANNEL
from projections import PROJECTIONS
from scripts.benchmarks.slot import Spoilt

SQL = sql.load(str(Path(__file__).with_name("control")))
CATCH_UP_S = 30.0  # for the read models to reach the end of a short log
CATCH_UP_EVENTS = 2_000  # events in each further second of patience
POLL_S = 0.005


def caught_up(connection: psycopg.Connection[Any]) -> float:
    """Wait until all read models are at the end of the log; seconds it took. Those of the past rest on purpose until somebody who waits rings."""
    began, allowed_s = time.perf_counter(), patience_s(behind(connection))
    connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
    while left := behind(connection):
        if time.perf_counter() - began > allowed_s:
            raise Spoilt(f"The read models are still {left} events behind after {allowed_s:.0f} s.")
        time.sleep(POLL_S)
    return time.perf_counter() - began


def behind(connection: psycopg.Connection[Any]) -> int:
    """How many events the slowest read model has not folded."""
    row = connection.execute(SQL["behind"], (len(PROJECTIONS),)).fetchone()
    assert row is not None
    return max(0, int(row[0]))


def patience_s(events: int) -> float:
    """How long read models may take to fold so many events."""
    return CATCH_UP_S + events / CATCH_UP_EVENTS
