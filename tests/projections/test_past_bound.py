"""How far a list of the past walks: not through what was created since.

Invariants: no test looks at a time. Seen red without the bound by id, which came by all jobs of now."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from ledger import store
from ledger.events import Recorded
from ledger.past import AsOf
from ledger.sight import rows
from projections import past_statement, query
from projections.filters import Sort
from projections.question import Query
from tests.fix_explain import ANALYZED, looked_at
from tests.fix_log import forger, projector, record, shown
from tests.fix_questions import connected
from tests.histories import ANN, CREATED, START

JOBS, THERE, PAGE = 300, 30, 5


@pytest.mark.parametrize("sort", ["created", "number", "id"])
def test_the_last_first_begins_at_the_last_of_then(database: str, sort: str) -> None:
    """The greatest of then is not the last that came: of each three jobs the first has the most."""
    log = [_born(nth, nth // 3 * 3 + 2 - nth % 3) for nth in range(JOBS)]
    with forger(database) as forging, projector(database) as folding, asyncio.Runner() as runner:
        reader = runner.run(connected(database))
        record(forging, log)
        shown(folding, database, THERE - 2, JOBS)
        forging.execute("ANALYZE")
        asked = Query("demo", (), (Sort(sort, True),), limit=PAGE, as_of=AsOf(THERE))
        numbers = runner.run(_numbers(reader, asked))
        read = runner.run(_read(reader, asked))
        runner.run(reader.close())
    assert numbers == sorted(range(1, THERE + 1), reverse=True)[:PAGE]
    assert read <= 4 * (PAGE + 1)


def _born(nth: int, place: int) -> Recorded:
    moment = START + timedelta(seconds=place)
    event = CREATED.model_copy(update={"created_at": moment, "number": place + 1})
    return Recorded(nth + 1, UUID(int=nth), UUID(int=place << 80), 1, START, ANN, event)


async def _numbers(reader: store.Connection, asked: Query) -> list[int]:
    return [job.number for job in (await query.find(reader, asked)).jobs]


async def _read(reader: store.Connection, asked: Query) -> int:
    """How many rows of jobs are looked at."""
    assert asked.as_of is not None
    text, values = past_statement.gathered(asked, asked.as_of)
    [(told,)] = await rows(reader, ("demo",), ANALYZED + text, values)
    return looked_at(told, "jobs_", filtered=True).most
