"""Answers to bytes: a batch that was taken, a job that is polled, and what became of a batch's items.

Invariants: pure; items are shown as they were sent; a list says how many records it has as a text. Errors: UnknownJob, StillProcessing, NoResults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pydantic_core

from api.batch.question import BatchPage
from api.dialects.fullstory import ask, page
from api.dialects.fullstory.fault import MEDIA_TYPE, NoResults, StillProcessing, code_of
from api.dialects.fullstory.opaque import opaque
from api.dialects.fullstory.status import metadata, moment, status
from api.operation import Asked, Said
from ledger.batches import Result
from ledger.committer import Committed
from ledger.errors import UnknownJob
from ledger.job import Job

_NEVER: Final = "The import ended before it came to this item."


def batch(asked: Asked, committed: Committed) -> Said:
    """A batch that was taken."""
    body = {"job": metadata(committed.jobs[0])}
    return _said(body, ("Ledger-Position", str(committed.position)))


def job(asked: Asked, found: Sequence[Job]) -> Said:
    """A poll."""
    if not found:
        raise UnknownJob("There is no such job.")
    return _said(status(found[0]), ("Ledger-Position", str(found[0].position)))


def imports(asked: Asked, found: BatchPage) -> Said:
    """A page of the items that got in."""
    schema = ask.with_schema(asked)
    return _listed("imports", found, [_imported(one, schema=schema) for one in _over(asked, found)])


def errors(asked: Asked, found: BatchPage) -> Said:
    """A page of the items that did not."""
    shared = {} if found.shared is None else {"shared": pydantic_core.from_json(found.shared)}
    return _listed("errors", found, [{**_failed(one), **shared} for one in _over(asked, found)])


def _over(asked: Asked, found: BatchPage) -> tuple[Result, ...]:
    if found.job is None:
        raise UnknownJob("There is no such job.")
    if not found.job.absorbed:
        raise StillProcessing(
            "The job is still being processed."
            if asked.as_of is None
            else "The job was still being processed then."
        )
    if found.results is None:
        raise NoResults("The job has no list of items: it is no batch, or they are kept no longer.")
    return found.results


def _imported(result: Result, *, schema: bool) -> dict[str, Any]:
    item = _item(result)
    if result.recorded_at is not None:
        # As the product does: what came without a time happened when it was taken.
        item.setdefault("timestamp", moment(result.recorded_at))
    if not schema:
        item.pop("schema", None)
    made = {} if result.about is None else {"job": opaque(result.about)}
    return {**item, "ledger": {**made, "position": result.position}}


def _failed(result: Result) -> dict[str, Any]:
    told = {"message": result.message or _NEVER, "code": code_of(result.code or "canceled")}
    return told if result.item is None else {**told, "event": _value(result.item)}


def _item(result: Result) -> dict[str, Any]:
    said = None if result.item is None else _value(result.item)
    return said if isinstance(said, dict) else {}


def _value(text: str) -> Any:
    """An item as it was sent; a lone surrogate, which no answer can hold, is the character that stands for what is unknown."""
    try:
        return pydantic_core.from_json(text)
    except ValueError:
        return text


def _listed(listed: str, found: BatchPage, results: list[dict[str, Any]]) -> Said:
    more = {} if found.next is None else {"next_page_token": page.token(listed, found.next)}
    return _said({"results": results, "total_records": str(found.total), **more})


def _said(body: dict[str, Any], *headers: tuple[str, str]) -> Said:
    return Said(200, pydantic_core.to_json(body), MEDIA_TYPE, headers)
