"""The plan that a follower keeps, and for how long."""

from __future__ import annotations

from collections import Counter
from math import log2
from typing import Any, ClassVar
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection

from ledger import settings
from ledger.events import Recorded
from projections import PROJECTIONS
from projections.runner import Runner
from projections.spans import SPANS_S
from projections.worker import plan_once
from tests.fix_log import LIVES, builds, distinct, eventually, forger, projector, record
from tests.projections.test_statement_kept import kept_of

LOG = LIVES
JOBS, WAVE = 200, 20


def test_the_plan_that_is_kept_walks_indexes(database: str) -> None:
    """Seen red without `enable_seqscan = off`: a fold planned while the tables are empty scans all of them for ever after."""
    scans = "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname = ANY(%s)"
    with forger(database) as writer, projector(database) as connection:
        made = builds(database)
        tables = ["stored_events", "jobs_v1", "job_states_v2"]
        for build in made:
            build.create(connection)
        record(writer, LOG)
        plan_once(connection)
        connection.execute("SELECT pg_stat_force_next_flush()")
        before = connection.execute(scans, (tables,)).fetchone()
        for position in range(len(LOG)):
            for build in made:
                build.advance(connection, position, position + 1)
        connection.execute("SELECT pg_stat_force_next_flush()")
        assert connection.execute(scans, (tables,)).fetchone() == before


def test_the_plan_that_is_kept_compares_no_two_events(database: str) -> None:
    """Seen red with NOT EXISTS for jobs that are not created in the range: 5,000 events were each compared with all."""
    span = {"from": 0, "to": 5_000, "stretch": settings.COUNTS_STRETCH, "spans_s": list(SPANS_S)}
    with projector(database) as connection:
        for build in builds(database):
            build.create(connection)
            text = build.projection.statement("fold", build.table).as_bytes(connection)
            nodes = kept_of(connection, (text, span))
            assert not [one for one in nodes if one.get("Join Type") == "Anti"]


class Told(psycopg.Connection[Any]):
    """A connection that remembers how often its session forgot its plans."""

    forgotten: ClassVar[list[psycopg.Connection[Any]]] = []

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        if query == "DISCARD PLANS":
            self.forgotten.append(self)
        return super().execute(query, *args, **kwargs)


def test_plans_are_made_anew_whenever_the_log_has_doubled(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red without `DISCARD PLANS`: what was planned for empty tables joins what it counts row by row, at any length."""
    monkeypatch.setattr(settings, "PAST_REST_S", 0.01)  # there are many waves
    monkeypatch.setattr(Told, "forgotten", [])
    log = distinct(many(JOBS))
    runner = Runner(database)
    with forger(database) as writer:
        monkeypatch.setattr(psycopg, "connect", Told.connect)
        runner.start()
        try:
            for wave in range(0, len(log), WAVE):
                record(writer, log[wave : wave + WAVE])
                end = min(wave + WAVE, len(log))
                runner.wake(end)
                eventually(lambda end=end: behind(writer, end) == 0, "the read models")  # type: ignore[misc]
        finally:
            runner.stop()
    times = Counter(map(id, Told.forgotten))
    assert len(times) == len(PROJECTIONS)
    # A fold may have had more than one wave.
    doublings = int(log2(len(log) / WAVE))
    assert all(doublings - 2 <= one <= doublings for one in times.values()), times


def many(jobs: int) -> list[Recorded]:
    """The same two lives again and again, under other ids."""
    log: list[Recorded] = []
    while len(log) < jobs * len(LIVES) // 2:
        fresh: dict[UUID, UUID] = {}
        for one in LIVES:
            job_id = fresh.setdefault(one.job_id, uuid4())
            position = len(log) + 1
            log.append(one._replace(job_id=job_id, event_id=uuid4(), position=position))
    return log


def behind(connection: Connection[Any], end: int) -> int:
    """How many read models are not there yet."""
    row = connection.execute(
        "SELECT count(*) FILTER (WHERE notification_id >= %s) FROM projections.notification_tracking",
        (end,),
    ).fetchone()
    assert row is not None
    return len(PROJECTIONS) - int(row[0])
