"""Feeds: a file as batches of histories, read once and as it goes.

Invariants: memory holds one batch, whatever the size of the file; a row that cannot be read goes to the rejects and the next one is read. Every
so many rows there is a batch that is None: a turn for the loop, while the database works on the batch before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol
from uuid import UUID

from uuid_utils.compat import uuid7

from api.transfer.columns import Columns, Plain
from api.transfer.held import Held
from api.transfer.known import KnownJobs
from api.transfer.line import Reading, Transition
from api.transfer.lines import Bad, Row
from api.transfer.rejects import Rejects
from ledger import settings
from ledger.imported import History

Part = Plain | list[History]  # what was told at once, or one by one
Batch = list[Part] | None
TURN_ROWS = 32  # rows told one by one between two turns of the loop: about a millisecond, so that a batch under way is sent without a pause
BLOCK_ROWS = 128  # rows told at once: about as long


class OneARow(Protocol):
    """How one row is read as one job's whole history: a mapped table, or whole jobs."""

    def history(self, row: Row) -> History:
        """What a row tells. Raises Bad."""


def of_table(table: OneARow, rows: Iterable[Row], rejects: Rejects) -> Iterator[Batch]:
    """The histories of a table, one a row."""
    return _batches(_one_by_one(table, rows, rejects))


def of_columns(
    columns: Columns, table: OneARow, rows: Iterable[Row], rejects: Rejects, known: KnownJobs
) -> Iterator[Batch]:
    """The same of a table that can be read column by column, wherever its rows are plain and not known to be there already."""
    return _batches(_at_once(columns, table, rows, rejects, known))


# A part, or some of one, with its events and its bytes; None is a turn for the loop.
_Told = tuple[Part, int, int] | None


def _batches(told: Iterable[_Told]) -> Iterator[Batch]:
    batch: list[Part] = []
    events = size_bytes = 0
    events_max = settings.IMPORT_FIRST_EVENTS_MAX
    for one in told:
        if one is None:
            yield None
            continue
        part, its_events, its_bytes = one
        if isinstance(part, list) and batch and isinstance(batch[-1], list):
            batch[-1] += part
        else:
            batch.append(part)
        events += its_events
        size_bytes += its_bytes
        enough = min(events_max, settings.IMPORT_EVENTS_MAX)
        if events >= enough or size_bytes >= settings.IMPORT_BYTES_MAX:
            yield batch
            batch, events, size_bytes = [], 0, 0
            events_max = 2 * enough
    yield batch


def _one_by_one(table: OneARow, rows: Iterable[Row], rejects: Rejects) -> Iterator[_Told]:
    for nth, row in enumerate(rows, 1):
        try:
            history = table.history(row)
        except Bad as bad:
            rejects.add(row.line, row.raw, str(bad))
        else:
            yield [history], len(history.claims), len(row.raw)
        if nth % TURN_ROWS == 0:
            yield None


def _at_once(
    columns: Columns, table: OneARow, rows: Iterable[Row], rejects: Rejects, known: KnownJobs
) -> Iterator[_Told]:
    for block, size_bytes in _blocks(rows):
        plain = None if known.there else columns.plain(block)
        if plain is not None:
            yield plain, plain.events, size_bytes
        else:
            yield from _one_by_one(table, block, rejects)
        yield None


def _blocks(rows: Iterable[Row]) -> Iterator[tuple[list[Row], int]]:
    block: list[Row] = []
    size_bytes = 0
    for row in rows:
        block.append(row)
        size_bytes += len(row.raw)
        if len(block) == BLOCK_ROWS or size_bytes >= settings.IMPORT_BYTES_MAX:
            yield block, size_bytes
            block, size_bytes = [], 0
    if block:
        yield block, size_bytes


def of_lines(
    reading: Reading, rows: Iterable[Row], rejects: Rejects, held: Held
) -> Iterator[Batch]:
    """The transitions of a file, window by window, each window's lines together by job."""
    window = _Window()
    size_bytes = 0
    for nth, row in enumerate(rows, 1):
        try:
            told = reading.transition(row)
            held.check(told.project, told.names)
            window.add(told, row)
        except Bad as bad:
            rejects.add(row.line, row.raw, str(bad))
            if bad.job is not None:
                held.hold(bad.job[0], window.names(bad.job), row.line)
        size_bytes += len(row.raw)
        if window.lines >= settings.IMPORT_EVENTS_MAX or size_bytes >= settings.IMPORT_BYTES_MAX:
            yield [window.histories()]
            window, size_bytes = _Window(), 0
        if nth % TURN_ROWS == 0:
            yield None
    yield [window.histories()]


class _Window:
    """Lines in the order of the file, and which of them are of one job."""

    def __init__(self) -> None:
        self.lines = 0
        self._by_name: dict[tuple[str, str, str], History] = {}
        self._histories: list[History] = []

    def add(self, told: Transition, row: Row) -> None:
        """Put a line to the others of its job."""
        self.lines += 1
        history = self._by_name.get((told.project, *told.name))
        if history is None:
            history = self._begin(told)
        history.claims.append(told.claim)
        history.raws[row.line] = row.raw
        creation = history.creation
        history.drawn = creation is not None and creation.number is None
        for kind, value in told.names:
            self._by_name.setdefault((told.project, kind, value), history)
            if kind != "id" and (kind, value) not in history.names:
                history.names = (*history.names, (kind, value))

    def _begin(self, told: Transition) -> History:
        kind, value = told.name
        by_id = kind == "id"
        job_id = UUID(value) if by_id else uuid7()
        history = History(told.project, job_id, (), [], by_id=by_id, whole=False)
        self._histories.append(history)
        return history

    def names(self, job: tuple[str, str, str]) -> tuple[tuple[str, str], ...]:
        """All the names that this job goes by here."""
        history = self._by_name.get(job)
        if history is None:
            return (job[1:],)
        return (*history.names, ("id", str(history.job_id)))

    def histories(self) -> list[History]:
        """One history a job, in the order in which they begin."""
        return self._histories
