"""Vitals: what an operator should hear of in the night."""

from __future__ import annotations

import psycopg
import pytest

from api import vitals
from ledger import settings
from projections.position import Reached
from projections.worker import fence
from tests.fix_server import LiveServer
from tests.native import create


@pytest.fixture
def owner(live_server: LiveServer) -> psycopg.Connection:
    """The database's owner; a ledger is served meanwhile."""
    create(live_server.client)
    return psycopg.connect(live_server.dsn, autocommit=True)


def reached(lag: int) -> dict[str, Reached]:
    return {name: Reached(name, 1, lag, None) for name in ("jobs", "nobodys")}


def test_a_served_ledger_whose_read_models_nobody_keeps(owner: psycopg.Connection) -> None:
    with owner:
        assert vitals.kept(owner, reached(0))[0]
        good, says, do = vitals.kept(owner, reached(1))
        assert (good, says) == (False, "A ledger is served, and nobody keeps nobodys.")
        assert "jobledger project" in do
        with psycopg.connect(owner.info.dsn, autocommit=True) as keeper:
            keeper.execute("SELECT pg_advisory_lock(%s)", (fence("nobodys"),))
            assert vitals.kept(owner, reached(settings.LAG_EVENTS_MAX))[0]
            good, says, _ = vitals.kept(owner, reached(settings.LAG_EVENTS_MAX + 1))
            assert not good
            assert "behind" in says


def test_connections_that_run_out(
    owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owner:
        assert vitals.connections(owner)[0]
        monkeypatch.setattr(vitals, "POOL_CONNECTIONS_MAX", 10_000)
        assert not vitals.connections(owner)[0]


def test_clocks_that_are_apart(owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    with owner:
        assert vitals.clock(owner)[0]
        monkeypatch.setattr(vitals, "CLOCK_OFF_S_MAX", -1.0)
        good, says, _ = vitals.clock(owner)
        assert not good
        assert "apart" in says
