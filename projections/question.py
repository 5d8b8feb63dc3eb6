"""Questions: everything one may ask of the read models and the log, and what is answered.

Invariants: a question is parsed, immutable and names its project; an answer holds folded jobs, never rows. A window is a cursor, an offset
or the start, never two of them. Units: limits and offsets count jobs, positions count events."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger.events import Recorded
from ledger.job import Job
from ledger.past import AsOf
from projections.filters import Condition, Sort


@dataclass(frozen=True, slots=True)
class After:
    """The page behind this row of the sort order: its sort values, as text or None, in the order of `Query.sort`, then its number."""

    values: tuple[str | None, ...]
    number: int


@dataclass(frozen=True, slots=True)
class Offset:
    """The page that begins at the `rows`-th job, from 0."""

    rows: int = 0


@dataclass(frozen=True, slots=True)
class Then:
    """An earlier moment in the asker's words: a position, a time of record, or (with the position, or else the end of the log) a time of
    occurrence."""

    position: int | None = None
    recorded: datetime | None = None
    happened: datetime | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """How a list says each of its jobs: `say(row, about)`, of the row of these columns. What is said rests on nothing else, so that it may be
    remembered for as long as the job does not change."""

    columns: tuple[str, ...]
    say: Callable[[tuple[Any, ...], Any], bytes]
    about: Hashable = None


@dataclass(frozen=True, slots=True)
class Query:
    """Which jobs of one project, in which order, how many. `total` asks for the exact number of matching jobs as well.

    `min_position`: answer only from read models that have reached it. `as_of`: answer what the ledger said then. `columns`: answer with these
    values of each job, by the names of projections.columns, instead of with whole jobs; `telling`: with what is said of each."""

    project: str
    conditions: tuple[Condition, ...] = ()
    sort: tuple[Sort, ...] = ()
    window: After | Offset = field(default_factory=Offset)
    limit: int = 50
    total: bool = False
    min_position: int = 0
    as_of: AsOf | None = None
    columns: tuple[str, ...] = ()
    telling: Telling | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The jobs of a query's window, in order. `after` is where the next page begins, None on the last one; `total` None when not asked.

    `rows`: the values that were asked for instead of jobs, one tuple a job; `said`: what is said of each job. `jobs` is empty then."""

    jobs: Sequence[Job]
    after: After | None
    total: int | None
    position: int
    rows: Sequence[tuple[Any, ...]] | None = None
    said: Sequence[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """Jobs of one project by what they are called: exactly one of the three. Unknown names are simply absent from the answer."""

    project: str
    ids: tuple[UUID, ...] = ()
    numbers: tuple[int, ...] = ()
    objects: tuple[str, ...] = ()
    min_position: int = 0
    as_of: AsOf | None = None

    @property
    def is_get(self) -> bool:
        """Whether it is about one id as it is now: the commonest question of all, which many ask at once."""
        return len(self.ids) == 1 and self.as_of is None


@dataclass(frozen=True, slots=True)
class Feed:
    """Events of one project behind a position, in order; of one job when `job_id` is given. Read from the log, not from a read model."""

    project: str
    after: int = 0
    limit: int = 100
    job_id: UUID | None = None
    as_of: AsOf | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """A page of the feed. `last` is the position to ask behind next: that of the last event, or the asked one when there was none."""

    recorded: tuple[Recorded, ...]
    last: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How many jobs one project has, by type, command and state."""

    project: str
    min_position: int = 0
    as_of: AsOf | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """Jobs of one type, command and state."""

    type: str
    command: str | None
    state: str
    jobs: int


@dataclass(frozen=True, slots=True)
class Counts:
    """All counts of a project that are not zero, ordered by type, command and state, as of `position`."""

    counts: tuple[Count, ...]
    position: int
