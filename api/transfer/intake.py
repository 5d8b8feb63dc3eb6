"""Intake: one import, from a file to the log.

Invariants: run again, it finds what it did and does the rest; strict, it does all or nothing, in one transaction, and a file that can be read
twice is first read without touching the log. Units: seconds, bytes. Errors: LedgerError; BrokenOff when the database did not stay."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import AsyncConnection

from api.transfer import feed, form
from api.transfer.counts import Counts
from api.transfer.feed import BLOCK_ROWS, Batch
from api.transfer.foreign import System
from api.transfer.foreign.responses import Responses, opened
from api.transfer.held import Held
from api.transfer.importer import Importer
from api.transfer.known import KnownJobs
from api.transfer.lines import Lines
from api.transfer.map import Map
from api.transfer.numbers import Numbers
from api.transfer.rejects import Rejects
from ledger import store
from ledger.connection import Role, conninfo
from ledger.errors import Unreachable
from ledger.store import Connection
from ledger.wake import CHANNEL

Progress = Callable[[int, int], None]  # bytes read and events appended so far


class BrokenOff(Unreachable):
    """The database broke off in the middle of an import."""

    hint = "Run the same command again: what is in the ledger already is recognised, and the rest is added."


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be imported. `file` None is stdin; `map` None: the file tells transitions; `project` None: each line says its own.

    `system`: what other system's responses the files are; only of those may there be `more`."""

    file: Path | None
    project: str | None
    map: Map | None
    actor: str
    strict: bool = False
    system: System | None = None
    more: tuple[Path | None, ...] = ()

    @property
    def files(self) -> tuple[Path | None, ...]:
        """All files in their order."""
        return (self.file, *self.more)


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of an import. `saved` is False when it was strict and there were rejects."""

    counts: Counts
    rejected: int
    seconds: float
    saved: bool

    def __str__(self) -> str:
        one = self.counts
        rate = one.events / self.seconds if self.seconds else 0.0
        if not self.saved:
            return f"Nothing was imported: {self.rejected} rows were rejected."
        return (
            f"{one.jobs} jobs and {one.events} events imported, {one.already} rows were there already,"
            f" {self.rejected} were rejected; {self.seconds:.1f} s, {rate:,.0f} events/s."
        )


_END: list[Any] = []  # told from a batch by being this one


class _Undone(Exception):
    """Takes a strict import back."""


def bring(
    dsn: str, order: Order, rejects: Rejects, progress: Progress = lambda read, events: None
) -> Summary:
    """Import, and say what became of it."""
    began = time.perf_counter()
    try:
        with _seldom_collected():
            counts, saved = asyncio.run(_bring(dsn, order, rejects, progress))
    except psycopg.OperationalError as error:
        raise BrokenOff(f"The database broke off: {error}") from error
    return Summary(counts, rejects.count, time.perf_counter() - began, saved)


async def _bring(
    dsn: str, order: Order, rejects: Rejects, progress: Progress
) -> tuple[Counts, bool]:
    async with _connected(dsn) as (connection, lookup):
        counts, saved = await _saved(order, rejects, connection, lookup, progress)
        if counts.events:
            await connection.execute(
                f"NOTIFY {CHANNEL}"
            )  # for the read models of a server that runs
        return counts, saved


async def _saved(
    order: Order, rejects: Rejects, connection: Connection, lookup: Connection, progress: Progress
) -> tuple[Counts, bool]:
    """The outcome, and whether it stands: only a strict import may not."""
    begin = await store.head(connection)
    if not order.strict:
        return await _all(order, rejects, connection, lookup, begin, progress), True
    if all(file is not None and file.is_file() for file in order.files):
        await _all(order, rejects, connection, lookup, begin, progress, append=False)
        if rejects.count:
            return Counts(position=begin), False
    try:
        # The transaction holds the head of the log until it ends, and other writers wait: so everything that can be found out before, was.
        async with connection.transaction():
            return await _all(order, rejects, connection, connection, begin, progress), True
    except _Undone:
        return Counts(position=begin), False


async def _all(
    order: Order,
    rejects: Rejects,
    connection: Connection,
    lookup: Connection,
    begin: int,
    progress: Progress,
    *,
    append: bool = True,
) -> Counts:
    """The whole file. In a strict import the first reject undoes it."""
    held, numbers, known = Held(), Numbers(lookup), KnownJobs(lookup, begin)
    new_number = numbers.next if append else count(1).__next__
    draws = append and order.map is not None and order.map.job.number is None
    with _opened(order, rejects) as source:
        batches, known.follow = _feed(source, order, rejects, held, known, new_number)
        importer = Importer(connection, known, numbers, rejects, held, begin=begin, append=append)
        try:
            while True:
                if draws:
                    await numbers.draw(BLOCK_ROWS)
                if (batch := next(batches, _END)) is _END:
                    break
                if batch is None:
                    await asyncio.sleep(0)
                elif append or not known.follow:
                    await importer.take(batch)
                progress(source.bytes_read, importer.counts.events)
                _undo_if_strict(order, rejects, append=append)
            await importer.finish()
            progress(source.bytes_read, importer.counts.events)
            _undo_if_strict(order, rejects, append=append)
        finally:
            await importer.abandon()
    return importer.counts


def _undo_if_strict(order: Order, rejects: Rejects, *, append: bool) -> None:
    if order.strict and append and rejects.count:
        raise _Undone


def _feed(
    source: Lines | Responses,
    order: Order,
    rejects: Rejects,
    held: Held,
    known: KnownJobs,
    new_number: Callable[[], int],
) -> tuple[Iterator[Batch], bool]:
    """The file's batches, and whether a job may come up in several of them."""
    if isinstance(source, Responses):
        assert order.system is not None
        telling = order.system.telling(order.project, order.actor)
        return feed.of_table(telling, source.rows(order.system.read), rejects), False
    if order.map is None:
        return form.of_export(
            source, project=order.project, actor=order.actor, rejects=rejects, held=held
        )
    batches = form.of_table(
        source,
        "-" if order.file is None else order.file.name,
        order.map,
        project=order.project,
        actor=order.actor,
        new_number=new_number,
        rejects=rejects,
        known=known,
    )
    return batches, False


@contextmanager
def _opened(order: Order, rejects: Rejects) -> Iterator[Lines | Responses]:
    if order.system is not None:
        yield Responses(order.files, rejects)
        return
    with opened(order.file) as stream:
        yield Lines(stream)


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[tuple[Connection, Connection]]:
    """Two connections, opened at once: the database starts a process for each."""
    async with AsyncExitStack() as stack:

        async def opened() -> Connection:
            connection = AsyncConnection.connect(conninfo(dsn, Role.APP), autocommit=True)
            return await stack.enter_async_context(await connection)

        yield await asyncio.gather(opened(), opened())


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Rows make many objects and no cycles: looking for cycles every few hundred objects would take a third of the time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
