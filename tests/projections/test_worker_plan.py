"""The plan that a follower keeps."""

from __future__ import annotations

from projections.worker import plan_once
from tests.fix_log import LIVES, builds, forger, projector, record

LOG = LIVES


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
