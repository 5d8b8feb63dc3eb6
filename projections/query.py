"""Answers: what the read models and the log say to a question.

Invariants: an answer is of one moment, and each of its jobs equals the fold of its log at the answer's position; nothing of another project is
in it, nor of one that is not in `sight`, which is the question's own by default. The connection is in autocommit mode and UTC.
Errors: Invalid; Busy before the first build; psycopg's own."""

from __future__ import annotations

from collections.abc import Sequence

from ledger import settings, sql, store
from ledger.codec import Row, decode
from ledger.errors import Invalid
from ledger.job import Job, State
from ledger.sight import Sight, array, rows
from ledger.store import Connection
from projections import listed, past, row, statement
from projections.lately import Lately
from projections.names import names_of
from projections.question import Count, Counts, Events, Feed, Named, Page, Query, Tally
from projections.reader import Source, read

SQL = sql.load(__file__)

# In the order in which a tally tells them.
_STATES = sorted(state.value for state in State)


async def answer(
    connection: Connection, question: Query | Named | Tally | Feed, sight: Sight, lately: Lately
) -> Page | Sequence[Job] | Counts | Events:
    """The answer to a question, whichever it is."""
    match question:
        case Query():
            return await find(connection, question, sight, lately)
        case Named():
            return await named(connection, question, sight)
        case Tally():
            return await tally(connection, question, sight)
        case Feed():
            return await feed(connection, question, sight)


async def find(
    source: Source, query: Query, sight: Sight = None, lately: Lately | None = None
) -> Page:
    """One page of the jobs that a question is about. `lately`: how jobs were said a moment ago."""
    sight = sight or (query.project,)
    lately = Lately() if lately is None else lately
    if query.as_of is not None:
        return await past.find(source, query, query.as_of, sight, lately)
    if query.telling is not None:
        return await listed.page(source, query, query.telling, sight, lately)
    found = await listed.asked(source, query, sight, query.columns or Job._fields)
    return listed.whole(query, found)


async def named(connection: Connection, asked: Named, sight: Sight = None) -> Sequence[Job]:
    """The jobs that go by these names, in the order of the names, then by number. Raises Invalid when they are too many for one answer."""
    sight = sight or (asked.project,)
    if asked.as_of is not None:
        return await past.named(connection, asked, asked.as_of, sight)
    column, names = names_of(asked)
    values = {"project": asked.project, "names": names, "limit": settings.PAGE_LIMIT_MAX + 1}
    found = await read(connection, sight, statement.called(column), values, walk=True)
    if len(found) > settings.PAGE_LIMIT_MAX:
        raise Invalid(
            f"More than {settings.PAGE_LIMIT_MAX} jobs go by these names; list them with a filter.",
            field=column,
        )
    return row.Rows(found)


async def tally(source: Source, asked: Tally, sight: Sight = None) -> Counts:
    """The counters of a project."""
    sight = sight or (asked.project,)
    if asked.as_of is not None:
        return await past.tally(source, asked, asked.as_of, sight)
    values = {"project": asked.project, "sight": array(sight)}
    [(reached, *told)] = await read(source, None, statement.tally(), values)
    counts = [
        Count(type_, command, state, jobs)
        for type_, command, *standing in zip(*(column or () for column in told), strict=True)
        for state, jobs in zip(_STATES, standing, strict=True)
        if jobs
    ]
    return Counts(tuple(counts), reached)


async def feed(connection: Connection, asked: Feed, sight: Sight = None) -> Events:
    """The log behind a position: of a project, or of one job of it."""
    sight = sight or (asked.project,)
    if asked.as_of is not None:
        recorded = await past.feed(connection, asked, asked.as_of, sight)
    elif asked.job_id is None:
        recorded = await store.read_after(
            connection, asked.after, asked.limit, project=asked.project, sight=sight
        )
    else:
        values = {
            "job_id": asked.job_id,
            "project": asked.project,
            "after": asked.after,
            "limit": asked.limit,
        }
        found = await rows(connection, sight, SQL["events_of_job"], values, prepare=True)
        recorded = [decode(Row(*one)) for one in found]
    return Events(tuple(recorded), recorded[-1].position if recorded else asked.after)
