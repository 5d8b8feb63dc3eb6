"""Rows of a table, many at once: what is asked of each cell is asked of a whole column, and the events are written column by column.

Invariants: it tells, byte for byte, what Table and bulk.pack tell of the same rows one by one; a block of rows that are not all plain (a cell that is
too long or cannot be stored, times out of order, a word that the map lacks) is left to them, so that every refusal is theirs.
Units: characters of a row. Errors: NotPlain, for a map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from operator import le
from typing import Final, NamedTuple

from api.transfer.creation import head
from api.transfer.creations import Creations
from api.transfer.lines import Bad, Row
from api.transfer.map import Map
from api.transfer.members import Column, NotPlain
from api.transfer.path import Step
from api.transfer.table import Entry, Table
from ledger import arrays, bulk, imported, newcomers, settings
from ledger.decide import CLAIM_AHEAD_MAX
from ledger.errors import LedgerError
from ledger.imported import History
from ledger.newcomers import Course, Newcomers

# Of a row and of the map, so that a body is no larger than it may be, even where each character takes six bytes.
_SAID_LENGTH_MAX: Final = settings.EVENT_BYTES_MAX // 6 // 2

Moments = Sequence[datetime | None]


@dataclass(frozen=True, slots=True)
class Plain:
    """Rows that were told at once, as a part of a batch with so many events. `names` are those of their source, which tells ids, too, if `by_id`;
    `drawn` are numbers that were given to them."""

    rows: Sequence[Row]
    project: str
    names: Sequence[tuple[str, str]]
    by_id: bool
    batch: bulk.Batch
    events: int
    drawn: Sequence[int]
    read: Callable[[Row], History]

    def histories(self) -> list[History]:
        """The same one by one, with other numbers."""
        return [self.read(row) for row in self.rows]


class _Way(NamedTuple):
    """What rows of one status with the same times have in common. `steps`: whether they are queued, started and ended."""

    entries: tuple[Entry, ...]
    course: Course
    steps: tuple[bool, bool, bool]


class Columns:
    """A table, ready to read rows of this header in blocks. Raises NotPlain where no row of its map is plain."""

    def __init__(
        self, table: Table, map_: Map, header: Sequence[str], new_number: Callable[[], int]
    ) -> None:
        self._table = table
        self._creations = Creations(map_.job, header, head(table.envelope), new_number)
        if self._creations.said_length > _SAID_LENGTH_MAX:
            raise NotPlain
        times = map_.times
        names = (times.created, times.queued, times.started, times.ended)
        self._at = [None if name is None else header.index(name) for name in names]
        self._status = header.index(map_.status.column)
        self._words = frozenset(map_.status.values)
        self._note = None if map_.status.note is None else header.index(map_.status.note)
        self._ways: dict[tuple[str, bool, bool], _Way] = {}

    def plain(self, rows: Sequence[Row]) -> Plain | None:
        """These rows at once; None where they must be told one by one."""
        try:
            return self._plain(rows)
        except (NotPlain, Bad, LedgerError, ValueError):
            return None

    def _plain(self, rows: Sequence[Row]) -> Plain:
        if any(isinstance(row.cells, Bad) or len(row.raw) > _SAID_LENGTH_MAX for row in rows):
            raise NotPlain
        columns: list[Column] = list(zip(*[row.cells for row in rows], strict=True))
        created, queued, started = (
            self._moments(columns[at] if at is not None else ("",) * len(rows))
            for at in self._at[: Step.ENDED]
        )
        ways = [
            self._way(word, queued is not None, started is not None)
            for word, queued, started in zip(columns[self._status], queued, started, strict=True)
        ]
        ended = self._ended(columns, ways)
        times = _times(ways, created, (queued, started, ended))
        courses = self._courses(columns, ways)
        told = self._creations.told(columns, len(rows))
        jobs = Newcomers(told.ids, told.bodies, courses, times, told.names)
        return Plain(
            rows,
            self._table.project,
            told.known_by,
            self._creations.by_id,
            newcomers.pack(self._table.project, imported.CREDENTIAL, jobs),
            sum([course.events for course in courses]),
            told.drawn,
            self._table.history,
        )

    def _moments(self, column: Column) -> Moments:
        return [self._table.moment(cell) if cell else None for cell in column]

    def _ended(self, columns: Sequence[Column], ways: Sequence[_Way]) -> Moments:
        """When the rows ended. Where a status is no end, what stands there is not even read."""
        at = self._at[Step.ENDED]
        if at is None:
            return [None] * len(ways)
        return self._moments(
            [cell if way.steps[-1] else "" for cell, way in zip(columns[at], ways, strict=True)]
        )

    def _way(self, word: str, queued: bool, started: bool) -> _Way:
        key = (word, queued, started)
        way = self._ways.get(key)
        if way is None:
            if word not in self._words:
                raise NotPlain
            entries = self._table.path(word, queued=queued, started=started)
            steps = {entry.step for entry in entries}
            way = self._ways[key] = _Way(
                entries,
                Course.of([(entry.event, entry.state) for entry in entries]),
                (Step.QUEUED in steps, Step.STARTED in steps, Step.ENDED in steps),
            )
        return way

    def _courses(self, columns: Sequence[Column], ways: Sequence[_Way]) -> Sequence[Course]:
        if self._note is None:
            return [way.course for way in ways]
        notes = columns[self._note]
        return [
            self._noted(way.entries, note) if note else way.course
            for note, way in zip(notes, ways, strict=True)
        ]

    def _noted(self, entries: Sequence[Entry], note: str) -> Course:
        """The course of a row whose last entry has a note."""
        if not entries:
            raise NotPlain  # it is its creation's
        last = self._table.noted(entries[-1], note)
        return Course.of([(entry.event, entry.state) for entry in (*entries[:-1], last)])


def _times(
    ways: Sequence[_Way], created: Moments, further: tuple[Moments, Moments, Moments]
) -> list[bytes]:
    """The cells of all events' times, in order. Raises NotPlain where they run backwards or too far ahead."""
    before = [one for one in created if one is not None]
    if len(before) < len(created):
        raise NotPlain
    told: list[Sequence[bytes]] = [list(map(arrays.time, created))]
    for nth, moments in enumerate(further):
        taken = [way.steps[nth] for way in ways]
        told.append(
            [
                arrays.time(moment) if took else b""
                for moment, took in zip(moments, taken, strict=True)
            ]
        )
        now = [
            moment if took and moment is not None else last
            for moment, took, last in zip(moments, taken, before, strict=True)
        ]
        if not all(map(le, before, now)):
            raise NotPlain
        before = now
    if max(before) > datetime.now(UTC) + CLAIM_AHEAD_MAX:
        raise NotPlain
    return list(chain.from_iterable(zip(*told, strict=True)))
