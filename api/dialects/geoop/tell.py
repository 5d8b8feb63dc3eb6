"""Answers to bytes: jobs in GeoOp's envelope.

Invariants: pure; every body has its `result`; a page tells how many jobs and pages there are unless nobody wants to know, and there is always
a first page. A given X-Version is echoed, by faults too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pydantic_core

from api.dialects.geoop import ask, entry, words
from api.operation import Asked, Resolved, Said
from ledger.errors import UnknownJob
from ledger.job import Job
from ledger.names import by_number
from projections.question import Page

MEDIA_TYPE: Final = "application/json"


def said(asked: Asked, body: dict[str, Any], *headers: tuple[str, str], status: int = 200) -> Said:
    """An answer."""
    return _said(asked, status, pydantic_core.to_json(body, inf_nan_mode="null"), *headers)


def _said(asked: Asked, status: int, body: bytes, *headers: tuple[str, str]) -> Said:
    version = words.version(asked)
    echo = (("X-Version", version),) if version else ()
    return Said(status, body, MEDIA_TYPE, (*echo, *headers))


def jobs(asked: Asked, page: Page) -> Said:
    """A page of jobs."""
    number, size = ask.paging(asked)
    metadata = {"page": number, "recordsPerPage": size}
    if page.total is not None:
        metadata["pagesCount"] = max(1, -(-page.total // size))
        metadata["recordsCount"] = page.total
    told = list(map(entry.said, page.jobs)) if page.said is None else page.said
    return _found(asked, told, metadata, page.position)


def job(asked: Asked, found: Sequence[Job]) -> Said:
    """One job: a page of it."""
    if not found:
        raise UnknownJob(f"There is no job {words.number(asked)}.")
    metadata = {"page": 1, "recordsPerPage": 1, "pagesCount": 1, "recordsCount": 1}
    return _found(asked, [entry.said(found[0])], metadata, found[0].position)


def saved(asked: Asked, resolved: Resolved) -> Said:
    """The jobs of a write as it left them, in the order of its items."""
    committed = resolved.committed
    left = {job.id: job for job in committed.jobs} if committed else {}
    received = words.items(asked)
    if asked.method == "POST":
        shown = list(left.values())
    else:
        names = dict.fromkeys(by_number(item["id"]) for item in received)
        before = [resolved.found[name] for name in names]
        shown = [left.get(job.id, job) for job in before]
    position = committed.position if committed else max(job.position for job in shown)
    headers = [("Ledger-Position", str(position))]
    if committed and committed.replayed:
        headers.append(("Idempotency-Replayed", "true"))
    body = {
        "result": "success",
        words.COLLECTION: [entry.entry(one) for one in shown],
        "metadata": items_metadata(len(received), ()),
    }
    return said(asked, body, *headers)


def items_metadata(received: int, invalid: tuple[int, ...]) -> dict[str, Any]:
    """About the items of a request."""
    return {
        "receivedItemsCount": received,
        "validItems": [index for index in range(received) if index not in set(invalid)],
        "invalidItems": list(invalid),
    }


def _found(asked: Asked, told: Sequence[bytes], metadata: dict[str, int], position: int) -> Said:
    body = b'{"result":"success","%b":[%b],"metadata":%b}' % (
        words.COLLECTION.encode(),
        b",".join(told),
        pydantic_core.to_json(metadata),
    )
    return _said(asked, 200, body, ("Ledger-Position", str(position)))
