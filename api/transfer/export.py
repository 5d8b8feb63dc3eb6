"""Export: the log or the jobs as NDJSON or CSV.

Invariants: the log goes out in order of position, up to where it stood at the beginning; jobs go out by project and number; the same ledger gives the
same bytes. Lines are the native JSON, and import reads what is written here. Memory holds one page. Errors: the questions' own."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, BinaryIO

import pydantic_core

from api.dialects.native import view
from api.transfer import flat
from ledger import settings, sql, store
from ledger.store import Connection
from projections import query
from projections.question import After, Offset, Query

SQL = sql.load(__file__)

Shown = Sequence[Mapping[str, Any]]
Write = Callable[[Shown], bytes]


async def log(connection: Connection, project: str | None) -> AsyncIterator[Shown]:
    """The events of a project, or of all, page by page, as the API shows them."""
    end = await store.head(connection)
    position = 0
    while position < end:
        found = await store.read_after(
            connection, position, settings.FEED_LIMIT_MAX, project=project
        )
        yield [view.event(one) for one in found if one.position <= end]
        position = found[-1].position if found else end


async def jobs(connection: Connection, project: str | None) -> AsyncIterator[Shown]:
    """The jobs of a project, or of all, page by page, as the API shows them."""
    if project is None:
        cursor = await connection.execute(SQL["projects"])
        projects = [row[0] for row in await cursor.fetchall()]
    else:
        projects = [project]
    for one in projects:
        window: After | Offset | None = Offset()
        while window is not None:
            question = Query(one, window=window, limit=settings.PAGE_LIMIT_MAX)
            page = await query.find(connection, question)
            yield [view.job(job) for job in page.jobs]
            window = page.after


# What can be exported, with its columns in a CSV.
WHAT: Mapping[
    str, tuple[Callable[[Connection, str | None], AsyncIterator[Shown]], tuple[str, ...]]
] = MappingProxyType({"log": (log, flat.EVENT_COLUMNS), "jobs": (jobs, flat.JOB_COLUMNS)})


async def export(
    connection: Connection, what: str, form: str, project: str | None, file: BinaryIO
) -> int:
    """Write all of it; how many events or jobs that were."""
    pages, columns = WHAT[what]
    written = 0
    if form == "csv":
        file.write(_rows([columns]))
    async for page in pages(connection, project):
        if form == "csv":
            file.write(_rows([flat.cells(columns, one) for one in page]))
        else:
            file.write(b"".join(pydantic_core.to_json(one) + b"\n" for one in page))
        written += len(page)
    return written


def _rows(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
