"""The past, asked while read models stand at different positions: one may know of events that another does not know yet."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from ledger.events import Recorded
from ledger.job import Job, State, evolve
from ledger.past import AsOf
from projections import query
from projections.filters import FILTERS, Condition, Sort
from projections.jobs import JOBS
from projections.question import Page, Query
from tests.fix_log import LIVES, builds, forger, projector, record
from tests.fix_questions import connected


def stood(log: list[Recorded], state: State) -> list[UUID]:
    """The jobs in a state after these events, by number."""
    jobs: dict[UUID, Job] = {}
    for one in log:
        jobs[one.job_id] = evolve(jobs.get(one.job_id), one)
    found = [job for job in jobs.values() if job.state is state]
    return [job.id for job in sorted(found, key=lambda job: job.number)]


@pytest.mark.parametrize("ahead", [True, False], ids=["jobs-ahead", "jobs-behind"])
def test_a_list_of_then_is_whole_while_one_read_model_is_ahead(database: str, ahead: bool) -> None:
    """Seen red under a thousand cursors beside writers: a job that had just moved on was neither where it stood now nor where it had stood."""
    with forger(database) as writer, projector(database) as connection:
        made = builds(database)
        for build in made:
            build.create(connection)
            assert build.replace(connection, None, level=False)
        record(writer, LIVES)
        for position in range(1, len(LIVES) + 1):
            first = [one for one in made if (one.projection is JOBS) is ahead]
            for build in first:
                if position == 1:
                    build.advance(connection, 0, len(LIVES))
            for build in made:
                if build not in first:
                    build.advance(connection, position - 1, position)
            for state in State:
                found = asyncio.run(asked(database, state, position))
                assert [job.id for job in found.jobs] == stood(LIVES[:position], state), state


async def asked(dsn: str, state: State, position: int) -> Page:
    connection = await connected(dsn)
    try:
        conditions = (Condition(FILTERS["state"], (state,)),)
        sort = (Sort("number"),)
        question = Query("demo", conditions, sort, limit=9, as_of=AsOf(position))
        return await query.find(connection, question)
    finally:
        await connection.close()
