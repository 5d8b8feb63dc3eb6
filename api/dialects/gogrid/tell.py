"""Answers to bytes: jobs and options in GoGrid's envelope, in the format that was asked for.

Invariants: pure; `total` counts all that match, `start` what comes before this page, `numpages` the pages of this size: 0 where there are none.
Errors: UnknownJob when a job/get finds nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from api.dialects.gogrid import as_csv, as_json, as_xml, ask, words
from api.dialects.gogrid.options import Option
from api.dialects.gogrid.shape import Envelope, Listed, ShownJob, shown
from api.dialects.gogrid.words import Format
from api.operation import Asked, Said
from ledger.errors import UnknownJob
from ledger.job import Job
from projections.question import Page

_FORMATS: Final[Mapping[Format, tuple[Callable[[Envelope], bytes], str]]] = MappingProxyType(
    {
        Format.JSON: (as_json.render, as_json.MEDIA_TYPE),
        Format.XML: (as_xml.render, as_xml.MEDIA_TYPE),
        Format.CSV: (as_csv.render, as_csv.MEDIA_TYPE),
    }
)


# Those whose list is its jobs one behind the other, so that each may have been said before.
_AROUND: Final[Mapping[Format, Callable[[Envelope, Sequence[bytes]], bytes]]] = MappingProxyType(
    {Format.JSON: as_json.around, Format.XML: as_xml.around}
)


def said(envelope: Envelope, chosen: Format, *headers: tuple[str, str], status: int = 200) -> Said:
    """An answer in a format."""
    render, media_type = _FORMATS[chosen]
    return Said(status, render(envelope), media_type, headers)


def job_get(asked: Asked, found: Sequence[Job]) -> Said:
    """Jobs in the order of the ids asked for, or newest first where objects were named. Never paged."""
    if not found:
        raise UnknownJob("None of the jobs asked for is in this project.")
    ordered = sorted(found, key=lambda job: (job.created_at, job.number), reverse=True)
    ranks = {number: rank for rank, number in enumerate(ask.job_get(asked).numbers)}
    if ranks:
        ordered.sort(key=lambda job: ranks[job.number])
    things = tuple(shown(job) for job in ordered)
    told = Envelope(_method(asked), ShownJob, things, total=len(things))
    return said(told, words.read(asked).format)


def job_list(asked: Asked, page: Page) -> Said:
    """A page of jobs, newest first."""
    given = words.read(asked)
    paging = ask.job_paging(given)
    listed = page.jobs if page.rows is None else [Listed(*row) for row in page.rows]
    things = tuple(map(shown, listed))
    assert page.total is not None, "job/list asks for the total"
    numpages = paging.numpages(page.total)
    told = Envelope(_method(asked), ShownJob, things, page.total, paging.start, numpages)
    position = ("Ledger-Position", str(page.position))
    if page.said is None:
        return said(told, given.format, position)
    body = _AROUND[given.format](told, page.said)
    return Said(200, body, _FORMATS[given.format][1], (position,))


def lookup_list(asked: Asked, _: None) -> Said:
    """A lookup table."""
    given = words.read(asked)
    table, paging = ask.options_listed(given)
    end = paging.start + paging.num_items if paging.num_items else None
    told = Envelope(
        method=_method(asked),
        kind=Option,
        things=table[paging.start : end],
        total=len(table),
        start=paging.start,
        numpages=paging.numpages(len(table)),
    )
    return said(told, given.format)


def _method(asked: Asked) -> str:
    return asked.path.removeprefix("/api")
