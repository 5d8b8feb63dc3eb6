"""The event-sourcing library as it comes: one process, its own application and recorder, get and save for each event.

Invariants: the same life of a job, the same server; its tables lie in a schema of their own. Nothing of it is switched off or tuned."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from ledger.cluster import PORT, SUPERUSER
from scripts.benchmarks import life
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Slot


class StockJob(Aggregate):
    """A job as the library's manual would write it."""

    @event("Created")
    def __init__(self, created: dict[str, Any]) -> None:
        self.created = created
        self.state = "Created"

    @event("Moved")
    def move(self, state: str) -> None:
        """Enter another state."""
        self.state = state


@contextmanager
def get_and_save(scene: Scene) -> Iterator[Slot]:
    """One event a call: read the job, change it, save it."""
    scene.owner.execute("CREATE SCHEMA stock")
    application: Application[UUID] = Application(
        {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": scene.database,
            "POSTGRES_HOST": str(scene.ground.server.socket),
            "POSTGRES_PORT": str(PORT),
            "POSTGRES_USER": SUPERUSER,
            "POSTGRES_PASSWORD": "",
            "POSTGRES_SCHEMA": "stock",
        }
    )
    created = life.creation(1).model_dump(mode="json", exclude_defaults=True)

    def slot(slot_s: float) -> Measured:
        saved, began = 0, time.perf_counter()
        deadline = began + slot_s
        while True:
            job = StockJob(created)
            application.save(job)
            saved += 1
            for later in life.AFTERLIFE:
                job = application.repository.get(job.id)
                job.move(later.TOPIC)
                application.save(job)
                saved += 1
                if (now := time.perf_counter()) >= deadline:
                    return Measured(saved / (now - began))

    try:
        yield slot
    finally:
        application.close()
