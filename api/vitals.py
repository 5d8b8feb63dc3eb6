"""Vitals: what changes from hour to hour in a ledger that runs, for `doctor`: clocks, connections, maintenance, and who keeps the read models.

Invariants: looks and changes nothing. Units: seconds, events. Errors: psycopg's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg

from api import maintenance
from ledger import sql
from ledger.settings import CLOCK_OFF_S_MAX, LAG_EVENTS_MAX, POOL_CONNECTIONS_MAX
from projections.position import Reached
from projections.worker import fence

SQL = sql.load(__file__)

# What was found, whether it is as it should be, and what to do if not.
Verdict = tuple[bool, str, str]


def clock(connection: psycopg.Connection[Any]) -> Verdict:
    """Whether our clock, the server's and the log's agree."""
    before = datetime.now(UTC)
    servers, ahead_s = _row(connection, "clock")
    after = datetime.now(UTC)
    # The answer was on the way for some time: only what cannot be explained by that is off.
    off_s = max((before - servers).total_seconds(), (servers - after).total_seconds(), 0.0)
    if off_s > CLOCK_OFF_S_MAX:
        return (
            False,
            f"This machine's clock and PostgreSQL's are {off_s:.0f} s apart.",
            "Run a time service on both: keys expire and signatures age by this clock, events are recorded by PostgreSQL's.",
        )
    if ahead_s > CLOCK_OFF_S_MAX:
        return (
            False,
            f"The last event was recorded {ahead_s:.0f} s in the future: the clock was ahead, or is behind now.",
            "Set the clock right. Until it has caught up, new events carry that last time, since times never run backwards.",
        )
    return True, "The clocks agree, and with the log.", ""


def connections(connection: psycopg.Connection[Any]) -> Verdict:
    """Whether another server of ours would find room."""
    taken, most, _ = _row(connection, "connections")
    return (
        most - taken >= POOL_CONNECTIONS_MAX,
        f"{taken} of {most} connections of PostgreSQL are taken.",
        "End what holds them, or raise max_connections: a ledger that finds none answers 503.",
    )


def switched(connection: psycopg.Connection[Any]) -> Verdict:
    """Whether an operator has switched something off."""
    found = maintenance.state(connection)
    if found.refused == "nothing" or found.since is None:
        return True, "Maintenance is off.", ""
    what = "Writes are" if found.refused == "writes" else "Everything is"
    return (
        False,
        f"{what} refused for maintenance since {found.since:%Y-%m-%d %H:%M} UTC.",
        "jobledger maintenance off",
    )


def kept(connection: psycopg.Connection[Any], reached: Mapping[str, Reached]) -> Verdict:
    """Whether somebody keeps the read models of a ledger that is served, and gets along with the log."""
    fences = {fence(name): name for name in reached}
    held = connection.execute(SQL["kept"], (list(fences),)).fetchall()
    keepers = {fences[number] for (number,) in held}
    serving = _row(connection, "connections")[2]
    alone = [name for name, one in reached.items() if one.lag and name not in keepers]
    if serving and alone:
        return (
            False,
            f"A ledger is served, and nobody keeps {', '.join(alone)}.",
            "Run `jobledger project`, or `jobledger serve` without --no-projections.",
        )
    late = [name for name, one in reached.items() if one.lag > LAG_EVENTS_MAX and name in keepers]
    lags = ", ".join(f"{name} {one.lag}" for name, one in reached.items())
    return (
        not late,
        f"Read models are behind by so many events: {lags}.",
        "An import or a rebuild passes; if it does not shrink, see which of processor, disk and locks is at its limit.",
    )


def _row(connection: psycopg.Connection[Any], name: str) -> tuple[Any, ...]:
    row = connection.execute(SQL[name]).fetchone()
    assert row is not None
    return tuple(row)
