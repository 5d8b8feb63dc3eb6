"""A population: jobs of every kind and in every state, written through the native API, and what each of them is, known from what was written.

Invariants: what a job is stands in LIVES and in the words sent, never in what the product answered, ids and numbers aside. Times lie in
the last four weeks, since that is how far GoGrid looks back, and no millisecond begins with them; some jobs share them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx

Told = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Life:
    """What happens to a job, and where it then stands: as the ledger says, and as GoGrid does."""

    events: Told
    state: str
    outcome: str
    phase: str
    grid: str


STARTED = ({"event": "queued"}, {"event": "started"})
LIVES: tuple[Life, ...] = (
    Life((), "Created", "Created", "acknowledged", "Created"),
    Life(({"event": "queued"},), "Queued", "Queued", "acknowledged", "Queued"),
    Life(STARTED, "Processing", "Processing", "in-progress", "Processing"),
    Life((*STARTED, {"event": "succeeded"}), "Succeeded", "Succeeded", "completed", "Succeeded"),
    Life((*STARTED, {"event": "failed"}), "Failed", "Failed", "failed", "Failed"),
    Life((*STARTED, {"event": "failed", "final": False}), "Failed", "Retrying", "in-progress", "Failed"),
    Life((*STARTED, {"event": "failed", "kind": "item_errors"}), "Failed", "Incomplete", "failed", "Failed"),
    Life((*STARTED, {"event": "failed", "final": False}, {"event": "started"}, {"event": "failed"}),
         "Failed", "Exhausted", "failed", "Fatal"),
    Life(({"event": "failed", "kind": "rejected"},), "Failed", "Rejected", "failed", "Fatal"),
    Life(({"event": "canceled"},), "Canceled", "Canceled", "failed", "Canceled"),
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A job that was written. `id` and `number` are the ledger's."""

    id: str
    number: str
    type: str
    command: str | None
    object: str | None
    owner: str
    request_id: str | None
    source_id: str | None
    created: datetime
    updated: datetime
    life: Life


TYPES = ("VirtualServer", "LoadBalancer", "Catégorie «2»", "a,b&c=d;e")
COMMANDS = ("CreateVirtualServer", "DeleteVirtualServer", None, "100 %")
OBJECTS = ("test 2", None, 'O\'Brien "q"', "端末😀", "%41+%2B")
OWNERS = ("ann@example.org", "bob", "Зоя")
JOBS = 60


def populate(client: httpx.Client, project: str) -> tuple[Made, ...]:
    """Write the population of a project."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20)
    told = [_words(nth, start) for nth in range(JOBS)]
    jobs = f"/v1/projects/{project}"
    answer = client.post(f"{jobs}/jobs", json={"jobs": told})
    assert answer.status_code == 201, answer.text
    made = [
        _made(nth, said, shown)
        for nth, (said, shown) in enumerate(zip(told, answer.json()["jobs"], strict=True))
    ]
    events = [event for one in made for event in _events(one)]
    answer = client.post(f"{jobs}/events", json={"events": events})
    assert answer.status_code == 200, answer.text
    return tuple(made)


def _words(nth: int, start: datetime) -> dict[str, Any]:
    created = start + timedelta(hours=nth // 3 * 5, milliseconds=nth // 3 * 7, microseconds=321)
    words = {
        "type": TYPES[nth % len(TYPES)],
        "command": COMMANDS[nth // 2 % len(COMMANDS)],
        "object": OBJECTS[nth % len(OBJECTS)],
        "owner": OWNERS[nth % len(OWNERS)],
        "request_id": None if nth % 4 else f"request {nth}/é",
        "source_id": None if nth % 5 else f"source-{nth}",
        "description": f"the {nth}. job",
        "detail": {"nth": nth, "nested": {"a": [1, None, "ü"]}},
        "occurred_at": created.isoformat(),
    }
    return {name: word for name, word in words.items() if word is not None}


def _made(nth: int, said: dict[str, Any], shown: dict[str, Any]) -> Made:
    life = LIVES[nth % len(LIVES)]
    created = datetime.fromisoformat(said["occurred_at"])
    return Made(
        id=shown["id"],
        number=str(shown["number"]),
        created=created,
        updated=created + timedelta(minutes=len(life.events)),
        life=life,
        type=said["type"],
        owner=said["owner"],
        command=said.get("command"),
        object=said.get("object"),
        request_id=said.get("request_id"),
        source_id=said.get("source_id"),
    )


def _events(one: Made) -> Iterable[dict[str, Any]]:
    for nth, event in enumerate(one.life.events, 1):
        at = one.created + timedelta(minutes=nth)
        yield {"job": one.id, **event, "occurred_at": at.isoformat()}
