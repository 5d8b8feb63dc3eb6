"""The crier: what it tells is heard by who listens, and a lost connection is made anew."""

from __future__ import annotations

import psycopg
import pytest

from projections.crier import CHANNEL, Crier, told


def test_it_tells_and_tells_again_after_a_lost_connection(database: str) -> None:
    crier = Crier(database)
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}".encode())
        crier.tell("jobs", 7)
        assert [told(one.payload) for one in listener.notifies(timeout=30, stop_after=1)] == [
            ("jobs", 7)
        ]
        listener.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for _ in range(2):  # the first may be lost with the connection
            crier.tell("jobs", 8)
        heard = [told(one.payload) for one in listener.notifies(timeout=30, stop_after=1)]
        assert heard == [("jobs", 8)]
    crier.close()


@pytest.mark.parametrize("payload", ["", "jobs", "jobs x", "jobs -1", f"jobs {10**30}"])
def test_nonsense_tells_nothing(payload: str) -> None:
    assert told(payload)[1] == 0
