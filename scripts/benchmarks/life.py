"""The life of a job as every contestant writes it: created, queued, started, succeeded.

Invariants: one event a call or a request, with the fields that platforms give; the same for the product, over HTTP and in process, for the bare
tables and for the stock library. Four events a job is near the 3.1 of a real cluster's trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from ledger.codec import Row, encode
from ledger.events import Created, Envelope, Event, Queued, Started, Succeeded

PROJECT: Final = "bench"
ACTOR: Final = "platform"
TYPES: Final = ("VirtualServer", "LoadBalancer", "Volume", "Snapshot")
OWNERS: Final = ("alma", "bela", "cecil", "dora", "ede")
AFTERLIFE: Final[tuple[Event, ...]] = (Queued(), Started(), Succeeded())
EVENTS_A_JOB: Final = 1 + len(AFTERLIFE)


def creation(number: int | None = None, nth: int = 0) -> Created:
    """The first event of the nth job."""
    return Created(
        type=TYPES[nth % len(TYPES)],
        command="Add",
        object=f"web-{nth % 1000}",
        owner=OWNERS[nth % len(OWNERS)],
        description="Add a server to the farm",
        detail={"image": "centos-7", "ram_mb": 2048, "ip": "10.0.0.7"},
        number=number,
    )


def new_job(nth: int = 0) -> str:
    """The same as a body of POST .../jobs."""
    body = creation(nth=nth).model_dump(mode="json", exclude_defaults=True)
    return json.dumps(body, separators=(",", ":"))


def new_events() -> tuple[str, ...]:
    """The rest of its life as bodies of POST .../jobs/{id}/events."""
    return tuple(json.dumps({"event": event.TOPIC.removeprefix("job.")}) for event in AFTERLIFE)


def rows(jobs: int, since: datetime | None = None) -> Iterator[Row]:
    """The log that so many jobs leave, in the order it would have grown: a job's events are interleaved with those of its neighbours."""
    envelope = Envelope(project=PROJECT, actor=ACTOR, credential_id="0" * 16)
    later = [(event.TOPIC, encode(event, envelope)) for event in AFTERLIFE]
    began = since or datetime.now(UTC) - timedelta(days=1)
    flight = 16  # jobs under way at once
    position = 0
    for first in range(0, jobs, flight):
        ids = [uuid7() for _ in range(min(flight, jobs - first))]
        for step in range(EVENTS_A_JOB):
            for offset, job_id in enumerate(ids):
                position += 1
                nth = first + offset
                topic, state = (
                    later[step - 1]
                    if step
                    else (Created.TOPIC, encode(creation(nth + 1, nth), envelope))
                )
                moment = began + timedelta(milliseconds=position)
                yield _row(position, job_id, step + 1, topic, state, moment)


def _row(
    position: int, job_id: UUID, version: int, topic: str, state: bytes, moment: datetime
) -> Row:
    return Row(position, job_id, version, topic, state, uuid7(), PROJECT, None, moment, "0" * 16)
