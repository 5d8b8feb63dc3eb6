"""Overload in small: more arrivals than places. Whoever is not served is told when to come back, and nobody is left without an answer."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.fix_server import LiveServer, NarrowServer
from tests.native import JOBS

CONNECTIONS = 40
SECONDS = 2.0


def arrivals(server: LiveServer, rate: float) -> dict[str, Any]:
    key = server.issue("demo").key
    words = (server.port, key, "demo", rate, SECONDS, CONNECTIONS)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.overloading.arrivals", *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["failed"] == found["dropped"] == found["unanswered"] == 0
    assert found["without Retry-After"] == 0
    assert found["accepted"] + found["refused"] == found["sent"]
    return found


def jobs(server: LiveServer) -> int:
    return int(server.client.get(JOBS, params={"count": "exact", "limit": 1}).json()["total"])


def test_what_can_be_carried_is_carried(live_server: LiveServer) -> None:
    found = arrivals(live_server, 20)
    assert found["refused"] == 0
    assert found["accepted"] + found["unsent"] >= 20 * SECONDS - 1
    assert jobs(live_server) == found["accepted"]


def test_what_cannot_is_refused_and_has_no_effect(narrow_server: NarrowServer) -> None:
    server = narrow_server({"LEDGER_REQUESTS_MAX": 2, "LEDGER_REQUESTS_WAITING_MAX": 2})
    found = arrivals(server, 0)
    assert found["refused"] > 0
    assert found["accepted"] > 0
    assert jobs(server) == found["accepted"]
