"""Answers to bytes: a bare array of jobs, or a job.

Invariants: pure; X-Total-Count counts all that match, X-Result-Count what is in the body. Errors: UnknownJob."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pydantic_core

from api.dialects.orange.item import item
from api.operation import Asked, Said
from ledger.errors import UnknownJob
from ledger.job import Job
from projections.question import Page

MEDIA_TYPE: Final = "application/json"


def jobs(asked: Asked, found: Page) -> Said:
    """A page of jobs."""
    assert found.total is not None, "a list asks for the total"
    listed = found.said
    if listed is None:
        listed = [pydantic_core.to_json(item(job, asked.base_url)) for job in found.jobs]
    headers = (
        ("X-Total-Count", str(found.total)),
        ("X-Result-Count", str(len(listed))),
        ("Ledger-Position", str(found.position)),
    )
    return Said(200, b"[%b]" % b",".join(listed), MEDIA_TYPE, headers)


def job(asked: Asked, found: Sequence[Job]) -> Said:
    """One job."""
    if not found:
        raise UnknownJob("There is no such job.")
    return _said(item(found[0], asked.base_url), ("Ledger-Position", str(found[0].position)))


def _said(body: Any, *headers: tuple[str, str]) -> Said:
    return Said(200, pydantic_core.to_json(body), MEDIA_TYPE, headers)
