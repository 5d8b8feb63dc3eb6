"""Entries: a job as Comestri tells it.

Invariants: pure; `percent_completed` is a fraction, where 0 and 1 are whole; a failure that will be retried is still processing, or clients
would stop polling for good; a job that was completed with an error is complete, and its result Failure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import pydantic_core

from api.dialects.comestri.moments import told
from api.dialects.comestri.style import Style
from ledger.events import Json, Message
from ledger.job import Job, Outcome

# What came of a job -> Comestri's status and result. A canceled job's result is the operator's choice.
SHOWN: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        Outcome.CREATED: ("request_received", "Pending"),
        Outcome.QUEUED: ("ready_to_process", "Pending"),
        Outcome.PROCESSING: ("processing", "Pending"),
        Outcome.RETRYING: ("processing", "Pending"),
        Outcome.SUCCEEDED: ("complete", "Success"),
        Outcome.INCOMPLETE: ("complete", "Failure"),
        Outcome.FAILED: ("fail_to_process", "Failure"),
        Outcome.EXHAUSTED: ("fail_to_process", "Failure"),
        Outcome.REJECTED: ("fail_to_receive", "Failure"),
        Outcome.CANCELED: ("canceled", "Pending"),
    }
)


class Listed(NamedTuple):
    """What a list tells of a job, by the names of its columns."""

    number: int
    request_id: str | None
    type: str
    outcome: str
    progress: float
    command: str | None
    created_at: datetime
    updated_at: datetime
    owner: str
    error_count: int


# Where a word ends inside a name: aB, ABc, and what is no letter or digit.
_SEAMS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")


def entry(job: Job | Listed, style: Style) -> dict[str, Any]:
    """A job in a list."""
    return {
        "id": job.number,
        "request_id": job.request_id,
        "entity": job.type,
        "status": SHOWN[job.outcome][0],
        "percent_completed": int(job.progress) if job.progress in (0, 1) else job.progress,
        "operation": job.command,
        "created_at": told(job.created_at, style.zone),
        "updated_at": told(job.updated_at, style.zone),
        "created_by": job.owner,
        "error_count": job.error_count,
        "result": _result(job, style),
    }


def said(row: tuple[Any, ...], style: Style) -> bytes:
    """A row of `Listed` in a list."""
    return pydantic_core.to_json(entry(Listed._make(row), style))


def shown(job: Job, style: Style) -> dict[str, Any]:
    """A job by itself: its entry, and what became of its items."""
    return {**entry(job, style), "processing_details": list(_details(job))}


def created(job: Job, style: Style) -> dict[str, Any]:
    """A job that was just asked for: no result yet, and where it came from. `sidekiq_job_id` is the ledger's own id of it."""
    told_of = entry(job, style)
    del told_of["result"]
    return {
        **told_of,
        "format": "json",
        "file_name": None,
        "sidekiq_job_id": str(job.id),
        "import_method": "api",
        "file_upload_id": None,
    }


def _result(job: Job | Listed, style: Style) -> str:
    if job.outcome == Outcome.CANCELED:
        return style.canceled_result
    if job.outcome == Outcome.SUCCEEDED and job.error_count:
        return "Failure"
    return SHOWN[job.outcome][1]


def _details(job: Job) -> Iterable[dict[str, Any]]:
    """The items of a job with their errors: those it was created with, then errors of none of them.

    A message is an item's when its description is the item's `_request_data_id`. Before a job is complete, no item is known to be good."""
    complete = SHOWN[job.outcome][0] == "complete"
    items = [(item, _name(item)) for item in _items(job)]
    errors: dict[str, list[str]] = {name: [] for _, name in items if name is not None}
    loose = []
    for message in job.messages:
        if message.description in errors:
            errors[message.description].append(message.message)
        else:
            loose.append(_sentence(message))
    for item, name in items:
        mine = [] if name is None else errors[name]
        if mine or complete:
            yield _detail(job, item, mine)
    for sentence in loose:
        yield _detail(job, {}, [sentence])


def _name(item: Mapping[str, Json]) -> str | None:
    name = item.get("_request_data_id")
    return None if name is None else str(name)


def _detail(job: Job, item: Mapping[str, Json], errors: list[str]) -> dict[str, Any]:
    told_of: dict[str, Any] = {
        "errors": errors,
        "id": item.get("id"),
        "_request_data_id": item.get("_request_data_id"),
    }
    options = (job.detail or {}).get("options")
    if item and isinstance(options, Mapping) and options.get("object_in_response") is True:
        told_of.setdefault(entity_key(job.type), item)
    return told_of


def entity_key(entity: str) -> str:
    """The key under which an item stands: ProductVariant's are `product_variant`."""
    return "_".join(word.lower() for word in _SEAMS.split(entity) if word) or "object"


def _items(job: Job) -> list[Mapping[str, Json]]:
    # A job of another dialect may have anything in its detail.
    found = (job.detail or {}).get("data")
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _sentence(message: Message) -> str:
    return f"{message.message}: {message.description}" if message.description else message.message
