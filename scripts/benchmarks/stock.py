"""The event-sourcing library as it comes: one process, its own application and recorder, get and save for each event.

Invariants: the same life of a job, the same server; its tables lie in a schema of their own. Nothing of it is switched off or tuned. Its runner keeps
one row a job, in the transaction that moves its position, as its manual says. Errors: Spoilt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

from ledger.cluster import PORT, SUPERUSER
from scripts.benchmarks import life
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Slot, Spoilt

RUN_S = 120.0  # at most
JOBS_MAX = 500  # it is slow


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


class StockJobs(Application[UUID]):
    """The application of these jobs."""

    name = "stock"


class StockView(PostgresTrackingRecorder):
    """The current state of each job, one row a job."""

    def __init__(self, datastore: PostgresDatastore, **more: Any) -> None:
        super().__init__(datastore, **more)
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {}.stock_states (id uuid PRIMARY KEY, state text NOT NULL)"
            ).format(Identifier(self.datastore.schema))
        )
        self.create_table()

    def keep(self, job_id: UUID, state: str, tracking: Tracking) -> None:
        """Keep a job's state and the runner's position together."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                SQL(
                    "INSERT INTO {}.stock_states VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET state = excluded.state"
                ).format(Identifier(self.datastore.schema)),
                (job_id, state),
            )


class StockProjection(Projection[StockView]):
    """Says what the view keeps."""

    name = "stockstates"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """One event."""
        state = getattr(domain_event, "state", "Created")
        self.view.keep(domain_event.originator_id, state, tracking)


@contextmanager
def followed(scene: Scene) -> Iterator[Slot]:
    """Its runner on a log of its own, one event a transaction."""
    environment = _environment(scene, "stockrun")
    created = life.creation(1).model_dump(mode="json", exclude_defaults=True)
    jobs = max(1, min(JOBS_MAX, scene.ground.sizes.batch // 50))
    with _opened(scene, environment, "stockrun") as application:
        for _ in range(jobs):
            job = StockJob(created)
            for later in life.AFTERLIFE:
                job.move(later.TOPIC)
            application.save(job)
    events = jobs * life.EVENTS_A_JOB

    def slot(_: float) -> Measured:
        scene.owner.execute(
            "DROP TABLE IF EXISTS stockrun.stock_states, stockrun.stockstates_tracking"
        )
        began = time.perf_counter()
        with ProjectionRunner(
            application_class=StockJobs,
            projection_class=StockProjection,
            view_class=StockView,
            env=environment,
        ) as runner:
            runner.wait(events, RUN_S)
            took_s = time.perf_counter() - began
        row = scene.owner.execute("SELECT count(*) FROM stockrun.stock_states").fetchone()
        if row != (jobs,):
            raise Spoilt(f"The library's runner kept {row} jobs of {jobs}.")
        return Measured(events / took_s)

    yield slot


@contextmanager
def _opened(scene: Scene, environment: dict[str, str], schema: str) -> Iterator[Application[UUID]]:
    scene.owner.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(schema)))
    application = StockJobs(environment)
    try:
        yield application
    finally:
        application.close()


def _environment(scene: Scene, schema: str) -> dict[str, str]:
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": scene.database,
        "POSTGRES_HOST": str(scene.ground.server.socket),
        "POSTGRES_PORT": str(PORT),
        "POSTGRES_USER": SUPERUSER,
        "POSTGRES_PASSWORD": "",
        "POSTGRES_SCHEMA": schema,
    }


@contextmanager
def get_and_save(scene: Scene) -> Iterator[Slot]:
    """One event a call: read the job, change it, save it."""
    created = life.creation(1).model_dump(mode="json", exclude_defaults=True)
    with _opened(scene, _environment(scene, "stock"), "stock") as application:

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

        yield slot
