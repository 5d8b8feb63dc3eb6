"""Answers to bytes: how the native API words what the ledger found.

Invariants: pure; a write's answer shows its jobs as the write left them, so a repeated request with the same key gets the same bytes. Whoever
prefers a minimal one gets what nobody but the ledger could know, and no job is rendered for it."""

from __future__ import annotations

from collections.abc import Sequence

import pydantic_core

from api import cursor
from api.dialects.native import ask, row, view
from api.operation import NO_BODY, Asked, Said
from api.preferences import preferences, prefers
from ledger.committer import Committed
from ledger.errors import UnknownJob
from ledger.job import Job
from projections.question import Counts, Events, Page
from projections.row import POSITION, VERSION, Rows


def jobs(asked: Asked, page: Page) -> Said:
    """A page of jobs; the address of the next one in the body and as a Link."""
    following = None
    if page.after is not None:
        following = view.page_url(asked, cursor=cursor.encode(page.after, ask.page(asked)))
    rest: dict[str, object] = {"next": following}
    if page.total is not None:
        rest["total"] = page.total
    told = _jobs(page.jobs) if page.said is None else b",".join(page.said)
    body = b'{"jobs":[%b],%b' % (told, pydantic_core.to_json(rest)[1:])
    position = ("Ledger-Position", str(page.position))
    return Said(200, body, view.JSON, (position, *_link(following)))


def _jobs(jobs: Sequence[Job]) -> bytes:
    """Jobs with commas between them."""
    if isinstance(jobs, Rows):
        return ",".join([row.job(one) for one in jobs.raw]).encode()
    return ",".join([row.folded(one) for one in jobs]).encode()


def job(asked: Asked, found: Sequence[Job]) -> Said:
    """One job with its ETag; 304 when the caller has this version already."""
    if not found:
        raise _unknown(asked)
    if isinstance(found, Rows):
        version, position = found.raw[0][VERSION], found.raw[0][POSITION]
    else:
        version, position = found[0].version, found[0].position
    tag = f'"{version}"'
    headers = (
        ("ETag", tag),
        ("Ledger-Position", str(position)),
        ("Cache-Control", "no-cache"),
    )
    if tag in (given.strip() for given in asked.headers.get("if-none-match", "").split(",")):
        return Said(304, b"", view.JSON, headers)
    return Said(200, _jobs(found[:1]), view.JSON, headers)


def history(asked: Asked, found: Sequence[Job]) -> Said:
    """The states that a job entered."""
    one = _one(asked, found)
    return view.said(
        {"history": [view.stay(entry) for entry in one.history]},
        ("ETag", view.etag(one)),
        ("Ledger-Position", str(one.position)),
    )


def events(asked: Asked, found: Events) -> Said:
    """Events, as JSON or, when the caller accepts it, one a line or as CloudEvents. A job without any is a job that is not there."""
    question = ask.feed(asked)
    if question.job_id is not None and not found.recorded and question.after == 0:
        raise _unknown(asked)
    following = (
        view.page_url(asked, after=str(found.last))
        if len(found.recorded) == question.limit
        else None
    )
    headers = (("Ledger-Position", str(found.last)), *_link(following))
    accepted = asked.headers.get("accept", "")
    if view.CLOUD_EVENTS in accepted:
        batch = pydantic_core.to_json([view.cloud_event(one) for one in found.recorded])
        return Said(200, batch, view.CLOUD_EVENTS, headers)
    if view.NDJSON in accepted:
        lines = b"".join(pydantic_core.to_json(view.event(one)) + b"\n" for one in found.recorded)
        return Said(200, lines, view.NDJSON, headers)
    body = {
        "events": [view.event(one) for one in found.recorded],
        "last": found.last,
        "next": following,
    }
    return view.said(body, *headers)


def counts(asked: Asked, found: Counts) -> Said:
    """Totals of a project."""
    return view.said(view.counts(found), ("Ledger-Position", str(found.position)))


def created(asked: Asked, committed: Committed) -> Said:
    """The new job with its address, or the jobs of a batch."""
    if ask.holds(asked.body, "jobs"):
        return Said(201, _batch(asked, committed), view.JSON, _saved(asked, committed))
    one = committed.jobs[0]
    headers = (
        ("Location", view.job_url(asked, one)),
        ("ETag", view.etag(one)),
        *_saved(asked, committed),
    )
    if prefers(asked, "return=minimal"):
        return Said(201, b"", NO_BODY, headers)
    return Said(201, _jobs((one,)), view.JSON, headers)


def happened(asked: Asked, committed: Committed) -> Said:
    """The job as its events left it."""
    one = committed.jobs[0]
    headers = (("ETag", view.etag(one)), *_saved(asked, committed))
    if prefers(asked, "return=minimal"):
        return Said(204, b"", NO_BODY, headers)
    return Said(200, _jobs((one,)), view.JSON, headers)


def happened_to_many(asked: Asked, committed: Committed) -> Said:
    """The jobs as their events left them, in the order first named."""
    return Said(200, _batch(asked, committed), view.JSON, _saved(asked, committed))


def _batch(asked: Asked, committed: Committed) -> bytes:
    # Of many jobs neither Location nor ETag can tell, so a minimal answer names each with what those would have said.
    if prefers(asked, "return=minimal"):
        return b'{"jobs":[%b]}' % ",".join([row.minimal(one) for one in committed.jobs]).encode()
    return b'{"jobs":[%b]}' % _jobs(committed.jobs)


def _saved(asked: Asked, committed: Committed) -> tuple[tuple[str, str], ...]:
    headers = [("Ledger-Position", str(committed.position))]
    if committed.replayed:
        headers.append(("Idempotency-Replayed", "true"))
    if applied := preferences(asked):
        headers.append(("Preference-Applied", ", ".join(applied)))
    return tuple(headers)


def _one(asked: Asked, found: Sequence[Job]) -> Job:
    if not found:
        raise _unknown(asked)
    return found[0]


def _unknown(asked: Asked) -> UnknownJob:
    return UnknownJob(
        f"There is no job {asked.path_params['id']} in project {asked.path_params['project']!r}."
    )


def _link(following: str | None) -> tuple[tuple[str, str], ...]:
    return (("Link", f'<{following}>; rel="next"'),) if following else ()
