"""Acceptance: a batch is kept and its job created, in one transaction.

Invariants: what was answered is on disk; a repeated key is answered as before, and nothing is kept twice.
Errors: LedgerErrors; Unreachable when nobody knows whether it was kept."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
from uuid_utils.compat import uuid7

from api.batch.question import Submission
from ledger import batches, store
from ledger.committer import Committed
from ledger.desk import replayed
from ledger.errors import Busy, Invalid, Unreachable
from ledger.job import Job, fold
from ledger.plan import plan
from ledger.store import Appended, Connection, TurnedAway, Unit


class _TurnedAway(Exception):
    """The log did not take the batch's job, so its items are not kept either."""

    def __init__(self, answer: TurnedAway) -> None:
        super().__init__(answer.reason)
        self.answer = answer


async def accept(connection: Connection, submission: Submission) -> Committed:
    """Take a batch. The connection is in autocommit mode."""
    key = submission.write.key
    if (known := await replayed(connection, key)) is not None:
        return known
    try:
        unit, appended = await _kept(connection, submission)
    except _TurnedAway as refused:
        # Somebody sent the same under the same key at the same time, and was first.
        if (known := await replayed(connection, key)) is not None:
            return known
        raise Busy("The batch could not be taken now.") from refused
    except psycopg.DataError as error:
        sentence = f"The database cannot store this: {error.diag.message_primary}"
        raise Invalid(sentence) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        if not connection.closed and not connection.broken:
            raise  # the server refused it: nothing is kept
        raise Unreachable("The connection broke while the batch was saved.") from error
    return _committed(unit, appended)


async def _kept(connection: Connection, submission: Submission) -> tuple[Unit, Appended]:
    async with connection.transaction():
        numbers = iter(await store.numbers(connection, 1))
        unit = plan(submission.write, {}, datetime.now(UTC), uuid7, lambda: next(numbers))
        await batches.take(connection, submission.batch)
        # Last, since whoever appends holds up all others until the commit.
        [answer] = await store.append(connection, [unit])
        if isinstance(answer, TurnedAway):
            raise _TurnedAway(answer)
    return unit, answer


def _committed(unit: Unit, appended: Appended) -> Committed:
    recorded = tuple(
        entry.recorded(appended.position + nth, appended.recorded_at)
        for nth, entry in enumerate(unit.entries)
    )
    job: Job | None = fold(recorded)
    assert job is not None
    return Committed((job,), job.position, recorded)
