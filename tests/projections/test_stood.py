"""Jobs that have moved on without a word: each as of each of its events is the fold of its log, cut there.

Seen red: without reading the events of a job that did more than enter states, of one that failed, or of one that has messages; with the first event
for the last that sets a thing. Jobs with messages are those of tests/laws/test_past.py."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from psycopg import AsyncConnection

from ledger import store
from ledger.commands import Command
from ledger.connection import Role, conninfo
from ledger.events import (
    Canceled,
    Created,
    Envelope,
    Event,
    Failed,
    FailureKind,
    ItemsReported,
    Message,
    Noted,
    Progressed,
    Queued,
    Started,
    Succeeded,
)
from ledger.past import AsOf
from projections import query
from projections.question import Named, Query
from tests.fix_jobs import A, Ledger, fold
from tests.fix_questions import connected
from tests.fix_transfer import write

AGAIN: tuple[Event, ...] = (Failed(final=False, error_count=4), Queued(), Started())
ENDS: tuple[Event, ...] = (
    *(Succeeded(), Canceled(), Failed()),
    Failed(kind=FailureKind.ITEM_ERRORS, error_count=2),
)
LIVES: tuple[tuple[Event, ...], ...] = (
    *((Queued(), Started(), end, Noted()) for end in ENDS),
    *((*AGAIN[1:], *AGAIN, *AGAIN, end, Noted()) for end in ENDS),
    (Started(), Progressed(progress=0.25), Progressed(progress=0.5), *AGAIN, Noted()),
    (Started(), ItemsReported(succeeded=1, failed=1, total=8), Succeeded(), Noted()),
    (Started(), ItemsReported(succeeded=1), ItemsReported(failed=3, total=4), *AGAIN, Noted()),
    (Started(), ItemsReported(total=4, error_count=7), Failed(error_count=0), Noted()),
    (Failed(kind=FailureKind.REJECTED), Noted()),
    (Noted(), Queued(), Noted(), Canceled(), Noted(messages=(Message(message="late"),))),
)
# What no word may be taken for: the beginning of a stay, a state, the end of a history.
NOTES = (
    '},{"position":1,"version":1,"state":"Processing","at":"2020-01-01T00:00:00Z"',
    "},{",
    None,
)


def test_each_job_is_the_fold_of_its_log_cut_there(database: str) -> None:
    commands = []
    for nth, life in enumerate(LIVES, start=1):
        created = Created(type="T", owner="o", number=nth)
        for step, event in enumerate((created, *life)):
            envelope = Envelope(
                A,
                'w"},{"position":9',
                note=NOTES[(nth + step) % len(NOTES)],
                # The first start of some is of an unknown time.
                occurred_at=None if step % 3 else datetime(2024, 5, nth, step, tzinfo=UTC),
                imported=bool(nth % 2),
            )
            commands.append(Command(UUID(int=nth), event, envelope))
    write(database, *commands)
    with asyncio.Runner() as runner:

        async def log() -> Ledger:
            where = conninfo(database, Role.APP)
            async with await AsyncConnection.connect(where, autocommit=True) as app:
                return Ledger(database, tuple(await store.read_after(app, 0, 1_000)))

        ledger = runner.run(log())
        assert len(ledger.log) == len(commands)
        fold(ledger)
        connection = runner.run(connected(database))
        for position in range(1, len(ledger.log) + 1):
            then = AsOf(position)
            expected = tuple(ledger.jobs(position).values())
            listed = Query(A, limit=1_000, as_of=then)
            assert runner.run(query.find(connection, listed)).jobs == expected
            named = Named(A, ids=tuple(job.id for job in expected), as_of=then)
            assert runner.run(query.named(connection, named)) == expected
        runner.run(connection.close())
