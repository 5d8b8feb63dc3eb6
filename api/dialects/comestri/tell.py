"""Answers to bytes: a page, a job, a new job.

Invariants: pure; the envelope counts as will_paginate does: `total_pages` is at least 1, and a page past the end has no entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pydantic_core

from api.dialects.comestri import ask, entry, words
from api.dialects.comestri.style import Style, lasting
from api.operation import Asked, Said
from ledger.committer import Committed
from ledger.errors import UnknownJob
from ledger.job import Job
from projections.question import Page

MEDIA_TYPE: Final = "application/json; charset=utf-8"


def index(style: Style, asked: Asked, found: Page) -> Said:
    """A page of jobs, newest first."""
    assert found.total is not None, "index asks for the total"
    style = lasting(style, asked.as_of)
    page, per_page = ask.paging(words.read(asked))
    envelope = {
        "page": page,
        "per_page": per_page,
        "total_pages": max(1, -(-found.total // per_page)),
        "total_entries": found.total,
    }
    entries = found.said
    if entries is None:
        entries = [pydantic_core.to_json(entry.entry(job, style)) for job in found.jobs]
    body = b'%b,"entries":[%b]}' % (pydantic_core.to_json(envelope)[:-1], b",".join(entries))
    return Said(200, body, MEDIA_TYPE, (("Ledger-Position", str(found.position)),))


def show(style: Style, asked: Asked, found: Sequence[Job]) -> Said:
    """One job."""
    if not found:
        raise UnknownJob("There is no such job.")
    shown = entry.shown(found[0], lasting(style, asked.as_of))
    return _said(200, shown, ("Ledger-Position", str(found[0].position)))


def created(style: Style, asked: Asked, committed: Committed) -> Said:
    """The new job, ready to process, and where it is shown."""
    job = committed.jobs[0]
    headers = [
        ("Location", f"{asked.base_url}/api/v2/jobs/{job.number}"),
        ("Ledger-Position", str(committed.position)),
    ]
    if committed.replayed:
        headers.append(("Idempotency-Replayed", "true"))
    return _said(201, entry.created(job, style), *headers)


def _said(status: int, body: dict[str, Any], *headers: tuple[str, str]) -> Said:
    return Said(status, pydantic_core.to_json(body), MEDIA_TYPE, headers)
