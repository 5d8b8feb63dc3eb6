"""Batches: items that are kept to be applied later, and what became of each.

Invariants: a batch is kept whole or not at all, in the transaction that creates its job; an item's result is written in the transaction of its
events, so that both are there or neither; results are written in the order of the items. Units: `nth` counts items from 0, `position` events.
Errors: psycopg's own, QuotaReached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ledger import settings, sql
from ledger.errors import QuotaReached
from ledger.sight import rows
from ledger.store import Connection

SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch as it is handed in. `items` is the JSON text of a list of `count`; `form` says who can read them."""

    job_id: UUID
    project: str
    form: str
    actor: str
    items: str
    count: int
    shared: str | None = None
    credential_id: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch under way: its first `applied` items have results, `failed` of them errors."""

    job_id: UUID
    project: str
    form: str
    shared: str | None
    actor: str
    credential_id: str | None
    request_id: str | None
    items: int
    applied: int
    failed: int


@dataclass(frozen=True, slots=True)
class Item:
    """An item as its client sent it; None when it is too long to be applied."""

    nth: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an item: its event's position, or why there is none; neither when the batch ended before it."""

    nth: int
    item: str | None = None
    about: UUID | None = None
    position: int | None = None
    code: str | None = None
    message: str | None = None
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a batch for those who ask what became of it."""

    shared: str | None
    items: int
    applied: int
    failed: int


async def take(connection: Connection, batch: NewBatch) -> None:
    """Keep a batch, in the transaction under way. Raises QuotaReached when its project has too much waiting already."""
    await connection.execute(SQL["lock_project"], (batch.project,))
    row = await (await connection.execute(SQL["waiting"], (batch.project,))).fetchone()
    assert row is not None
    batches, items = row
    if batches >= settings.BATCHES_WAITING_MAX:
        raise QuotaReached(
            f"{settings.BATCHES_WAITING_MAX} batches of this project are still being processed.",
            retry_after_s=settings.BATCH_RETRY_AFTER_S,
        )
    if items + batch.count > settings.BATCH_ITEMS_WAITING_MAX:
        raise QuotaReached(
            f"{items} items of this project are still being processed, and {settings.BATCH_ITEMS_WAITING_MAX} is the most.",
            retry_after_s=settings.BATCH_RETRY_AFTER_S,
        )
    values = {name: getattr(batch, name) for name in NewBatch.__dataclass_fields__}
    await connection.execute(SQL["take"], values)
    await connection.execute(SQL["take_items"], values)


async def next_of_each(connection: Connection) -> list[Batch]:
    """The batch of each project whose turn it is."""
    cursor = await connection.execute(SQL["next"])
    return [Batch(*row) for row in await cursor.fetchall()]


async def items(connection: Connection, batch: Batch, limit: int) -> list[Item]:
    """The next items of a batch, at most `limit`."""
    values = {
        "job_id": batch.job_id,
        "from": batch.applied,
        "limit": limit,
        "item_bytes_max": settings.EVENT_BYTES_MAX,
        "bytes_max": settings.COMMIT_BYTES_MAX,
    }
    cursor = await connection.execute(SQL["items"], values)
    return [Item(*row) for row in await cursor.fetchall()]


async def hold(connection: Connection, batch: Batch) -> bool:
    """Hold a batch in the transaction under way; False when it is no longer as we know it."""
    cursor = await connection.execute(SQL["hold"], (batch.job_id, batch.applied))
    return await cursor.fetchone() is not None


async def record(
    connection: Connection, batch: Batch, results: Sequence[Result], *, finished: bool
) -> None:
    """Write what became of the next items, in the transaction of their events."""
    if results:
        columns = zip(
            *((one.nth, one.about, one.position, one.code, one.message) for one in results),
            strict=True,
        )
        await connection.execute(SQL["record"], (batch.job_id, batch.project, *map(list, columns)))
    failed = batch.failed + sum(one.code is not None for one in results)
    applied = batch.applied + len(results)
    await connection.execute(SQL["advance"], (applied, failed, finished, batch.job_id))


async def kept(connection: Connection, project: str, job_id: UUID) -> Kept | None:
    """What is kept of a project's batch; None when it is none, or no longer."""
    found = await rows(connection, (project,), SQL["batch"], (job_id, project))
    return Kept(*found[0]) if found else None


async def results(
    connection: Connection, project: str, job_id: UUID, *, failed: bool, after: int, limit: int
) -> tuple[list[Result], bool]:
    """What became of a batch's items behind one of them: those that failed, or the others; fewer than `limit` where they are long.

    True: there are more."""
    values = {
        "job_id": job_id,
        "after": after,
        "limit": limit + 1,
        "item_bytes_max": settings.EVENT_BYTES_MAX,
        "bytes_max": settings.COMMIT_BYTES_MAX,
    }
    text = SQL["refused" if failed else "imported"]
    there = await rows(connection, (project,), text, values)
    found = [Result(*row[:-1]) for row in there[:limit]]
    return found, bool(there) and there[0][-1] > len(found)


async def forget_outdated(connection: Connection, days: int) -> int:
    """Remove batches that ended longer ago, one in a transaction: how many there were."""
    count = 0
    while row := await (await connection.execute(SQL["outdated"], (days,))).fetchone():
        async with connection.transaction():
            for name in ("forget_results", "forget_items", "forget"):
                await connection.execute(SQL[name], row)
        count += 1
    return count
