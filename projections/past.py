"""The past: what the ledger said as of an earlier position, and which position an earlier moment stands for.

Invariants: an answer as of a position rests on the log up to it and on nothing else, so that it is the same for ever; read models are never asked
before they have reached the position; each job is the fold of its own log, cut there, which is its row of now where all of its log counts, and
otherwise made from that row by `stood`; how it is said may be remembered for as long as it does not change, as `listed` has it.
Errors: Invalid for a moment that has not come; Busy while the read models are behind; psycopg's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ledger import settings
from ledger.codec import Row, decode
from ledger.errors import Busy, Invalid
from ledger.events import Recorded
from ledger.job import Job
from ledger.past import AsOf
from ledger.sight import Sight, array, rows
from ledger.store import Connection
from projections import past_statement, past_way, row
from projections.lately import Lately
from projections.listed import Gathered, Listing, gathered, whole
from projections.names import names_of
from projections.past_statement import SQLS
from projections.question import Count, Counts, Feed, Named, Page, Query, Tally, Then
from projections.reader import Source, read
from projections.walk import walks, walks_back

# A dialect counts back from the time that was; nothing of ours is older.
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Of a row of named jobs: what follows the columns of the job itself.
_NUMBER, _SETTLED, _REVISED, _REACHED = range(row.COLUMNS, row.COLUMNS + 4)


async def resolve(connection: Connection, project: str, then: Then) -> tuple[AsOf, datetime]:
    """The position that a moment stands for, for good; and the time that was then. Raises Invalid when the moment has not come."""
    if then.recorded is not None:
        values = {"project": project, "moment": then.recorded}
        [(position,)] = await rows(connection, (project,), SQLS["position_at"], values)
        if position is None:
            raise Invalid(f"as_of: {then.recorded.isoformat()} has not passed yet.", field="as_of")
        return AsOf(position), max(_EARLIEST, then.recorded)
    asked = {"project": project, "position": then.position}
    [(head, recorded_at)] = await rows(connection, (project,), SQLS["head"], asked, prepare=True)
    position = head if then.position is None else then.position
    if position > head:
        raise Invalid(f"as_of: The log has not reached position {position} yet.", field="as_of")
    moment = then.happened or recorded_at or _EARLIEST
    return AsOf(position, then.happened), max(_EARLIEST, moment)


async def find(
    source: Source, query: Query, then: AsOf, sight: tuple[str, ...], lately: Lately
) -> Page:
    """One page of the jobs that a question was about."""
    few = await _few(source, query, then, sight, lately)
    if query.telling is not None:
        return await _Listing(source, query, query.telling, sight, lately, then, few).page()
    found = await _gathered(source, query, then, few, sight, query.columns or Job._fields)
    return whole(query, found)


@dataclass(frozen=True, slots=True)
class _Listing(Listing):
    """A list of jobs as they were."""

    then: AsOf
    few: bool

    async def gathered(self, columns: tuple[str, ...]) -> Gathered:
        return await _gathered(self.source, self.query, self.then, self.few, self.sight, columns)

    async def read(self, numbers: list[int]) -> Iterable[tuple[Any, ...]]:
        """Of the whole page: of the past few pages have but some of their jobs remembered."""
        return (await self.gathered(self.telling.columns)).rows


async def _gathered(
    source: Source,
    query: Query,
    then: AsOf,
    few: bool,
    sight: tuple[str, ...],
    columns: tuple[str, ...],
) -> Gathered:
    """What is planned for its values is asked without the columns, which are most of a plan, and they are asked by themselves."""
    walk, alone = walks_back(query), walks(query)
    text, values = past_statement.gathered(
        query, then, columns if walk else (), few=few, seeing=alone
    )
    # On a connection that walks, all that would be said before the statement is said in it.
    if alone:
        values["sight"] = array(sight)
    [told] = await read(source, None if alone else sight, text, values, walk=walk and not alone)
    numbers, versions, latest, reached, *rest = told
    _check(reached, then)
    # What is said of a job rests on both, since an erasure is an event.
    both = list(zip(versions, latest, strict=True))
    found = gathered(query, numbers, both, then.position, *rest)
    if walk or not columns or not numbers:
        return found
    [positions] = found.columns
    revised = await _revised(source, query.project, numbers, positions, sight, columns)
    return found._replace(columns=list(zip(*revised, strict=True)))


async def _revised(
    source: Source,
    project: str,
    numbers: Sequence[int],
    positions: Sequence[int],
    sight: Sight,
    columns: tuple[str, ...] = (),
) -> list[tuple[Any, ...]]:
    """These columns, or all, of jobs as they were at these of their revisions."""
    values = {"project": project, "numbers": list(numbers), "positions": list(positions)}
    text = past_statement.revised(columns)
    return await read(source, sight, text, values, walk=True)


async def _few(source: Source, query: Query, then: AsOf, sight: Sight, lately: Lately) -> bool:
    """Whether few enough jobs are on the short way to those asked for."""
    question = past_statement.few(query, then)
    if question is None:
        return False
    few = lately.few(query)
    if few is None:
        [(count,)] = await read(source, sight, *question, walk=True)
        few = bool(count <= past_way.few_max(past_way.way(query, then)))
        lately.keep_few(query, few)
    return few


async def named(connection: Connection, asked: Named, then: AsOf, sight: Sight) -> Sequence[Job]:
    """The jobs that go by these names, as they were. Raises Invalid when they are too many for one answer."""
    column, names = names_of(asked)
    text, values = past_statement.called(column, asked.project, then)
    values |= {"names": names, "limit": settings.PAGE_LIMIT_MAX + 1}
    told = await read(connection, sight, text, values, walk=True)
    _check(told[0][_REACHED], then)
    found = [one for one in told if one[_NUMBER] is not None]
    if len(found) > settings.PAGE_LIMIT_MAX:
        raise Invalid(
            f"More than {settings.PAGE_LIMIT_MAX} jobs go by these names; list them with a filter.",
            field=column,
        )
    moved = {one[_NUMBER]: one[_REVISED] for one in found if not one[_SETTLED]}
    if moved:
        revised = await _revised(connection, asked.project, [*moved], [*moved.values()], sight)
        were = dict(zip(moved, revised, strict=True))
        found = [were.get(one[_NUMBER], one) for one in found]
    return row.Rows(found)


async def tally(source: Source, asked: Tally, then: AsOf, sight: Sight) -> Counts:
    """How many jobs there were of each kind."""
    text, values = past_statement.tally(asked.project, then)
    told = await read(source, sight, text, values, walk=then.happened is None)
    _check(told[0][0], then)
    counts = tuple(Count(*count) for _, *count in told if count[0] is not None)
    return Counts(counts, then.position)


async def feed(connection: Connection, asked: Feed, then: AsOf, sight: Sight) -> list[Recorded]:
    """The events that count, of a project or of one job of it, in the order of record."""
    values = {
        "project": asked.project,
        "job_id": asked.job_id,
        "after": asked.after,
        "position": then.position,
        "happened": then.happened,
        "limit": asked.limit,
    }
    # Planned for what is asked: the parts that are not drop out.
    found = await rows(connection, sight, SQLS["events"], values, prepare=False)
    return [decode(Row(*one)) for one in found]


def _check(reached: int | None, then: AsOf) -> None:
    if (reached or 0) < then.position:
        raise Busy(f"The read models have not reached position {then.position} yet.")
