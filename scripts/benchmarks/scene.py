"""The scene of one goal: a database of its own, and the processes that its contestants share, each made when first asked for.

Invariants: everything is on one PostgreSQL server and ends with the scene; the jobs in it were written by the product's own encoder and folded by
its own projections. Units: seconds; sizes in jobs. Errors: ChildFailed, Spoilt."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from secrets import token_bytes
from typing import Any

import psycopg
from psycopg import sql as composed

from api import keys, secret
from api.operation import Scope
from ledger import embedded, migrate, sql
from ledger.codec import Row
from projections import PROJECTIONS
from projections.runner import Runner
from scripts.benchmarks import dataset, life
from scripts.benchmarks.child import Child, started
from scripts.benchmarks.client import Load, loaded
from scripts.benchmarks.slot import Spoilt

SQL = sql.load(str(Path(__file__).with_name("control")))
START_S = 120.0  # for a server to be ready on a long log
CATCH_UP_S = 30.0  # for the read models to reach the end of a short log
CATCH_UP_EVENTS = 5_000  # events in each further second of patience
POLL_S = 0.005
DEEP_JOBS = 10_000  # jobs of a data set whose shares are those that were asked for

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is: jobs in the table that is read, and jobs in what is imported or folded in one go."""

    jobs: int
    batch: int


@dataclass
class Ground:
    """What all scenes stand on: the server, the folder it lies in, and the sizes asked for."""

    server: embedded.Server
    folder: Path
    sizes: Sizes
    made: int = 0


@dataclass
class Scene:
    """One goal's own database and processes."""

    ground: Ground
    database: str
    stack: ExitStack = field(repr=False)

    @property
    def dsn(self) -> str:
        """The owner's connection string."""
        return self.ground.server.dsn(self.database)

    @cached_property
    def owner(self) -> Connection:
        """A connection for looking and preparing, outside what is measured."""
        return self.stack.enter_context(psycopg.connect(self.dsn, autocommit=True))

    @cached_property
    def control(self) -> None:
        """The plain table, there when this has been touched."""
        self.owner.execute(SQL["create"])

    @cached_property
    def load(self) -> Load:
        """The HTTP clients."""
        return self.stack.enter_context(loaded(self.ground.server.pid))

    @cached_property
    def product(self) -> int:
        """The port of `jobledger serve` with one worker, read models running."""
        return self._served(1)

    @cached_property
    def product_of_two(self) -> int:
        """The same with two workers."""
        return self._served(2)

    def _served(self, workers: int) -> int:
        command = [sys.executable, "-m", "api.cli", "serve", "--port", "0", "--workers"]
        command.append(str(workers))
        environment = {
            "LEDGER_DATABASE_URL": self.dsn,
            "LEDGER_SECRET_FILE": str(self.secret_file),
            "LEDGER_LOG_LEVEL": "error",
        }
        child = self.stack.enter_context(started("jobledger serve", command, environment))
        port = _port(child)
        self.caught_up()
        return port

    @cached_property
    def bare(self) -> int:
        """The port of the bare routes."""
        command = [sys.executable, "-m", "scripts.benchmarks.bare", self.dsn]
        return _port(self.stack.enter_context(started("the bare routes", command)))

    @cached_property
    def secret_file(self) -> Path:
        """A secret as an operator would keep it."""
        path = self.ground.folder / f"{self.database}.secret"
        path.write_bytes(token_bytes(secret.SECRET_BYTES))
        return path

    @cached_property
    def key(self) -> keys.Issued:
        """A key of the project, which also signs."""
        scopes = (Scope.JOBS_READ, Scope.JOBS_WRITE)
        return keys.create(
            self.owner,
            secret.read(self.secret_file),
            project=life.PROJECT,
            scopes=scopes,
            signature="md5",
        )

    @cached_property
    def seeded(self) -> tuple[str, ...]:
        """The ids of some of the jobs that lie here, once they do. To be asked for before `product`."""
        fill(self.owner, life.rows(self.ground.sizes.jobs))
        found = self.owner.execute(SQL["ids"], (1_000,)).fetchall()
        return tuple(str(row[0]) for row in found)

    @cached_property
    def grown(self) -> tuple[str, ...]:
        """The data set with its read models, as long after it was written: the ids of some of its first project's jobs."""
        fill(self.owner, dataset.rows(self.ground.sizes.jobs))
        runner = Runner(self.dsn)
        runner.start()
        try:
            self.caught_up()
        finally:
            runner.stop()
        self.owner.execute(SQL["vacuum"])
        found = self.owner.execute(SQL["ids_of"], (life.PROJECT, 1_000)).fetchall()
        return tuple(str(row[0]) for row in found)

    @property
    def depth(self) -> int:
        """How many jobs lie before a page that is called deep: of a million, 500,000. The first project has more than that in one state."""
        jobs = self.ground.sizes.jobs
        return jobs // 2 if jobs >= DEEP_JOBS else jobs // 4

    def caught_up(self) -> float:
        """Wait until all read models are at the end of the log; seconds it took."""
        began, allowed_s = time.perf_counter(), patience_s(self._behind())
        while behind := self._behind():
            if time.perf_counter() - began > allowed_s:
                raise Spoilt(
                    f"The read models are still {behind} events behind after {allowed_s:.0f} s."
                )
            time.sleep(POLL_S)
        return time.perf_counter() - began

    def _behind(self) -> int:
        row = self.owner.execute(SQL["behind"], (len(PROJECTIONS),)).fetchone()
        assert row is not None
        return max(0, int(row[0]))

    def position(self) -> int:
        """Where the log ends."""
        row = self.owner.execute(SQL["head"]).fetchone()
        assert row is not None
        return int(row[0])

    def check_log(self) -> None:
        """Positions are dense: the log has as many events as its last position says. Raises Spoilt."""
        if len(set(self.owner.execute(SQL["log"]).fetchone() or ())) != 1:
            raise Spoilt("The log has holes: its events, its last position and its head disagree.")


def patience_s(events: int) -> float:
    """How long read models may take to fold so many events."""
    return CATCH_UP_S + events / CATCH_UP_EVENTS


def fill(connection: Connection, log: Iterable[Row]) -> None:
    """Write a log into an empty ledger, as it would have grown."""
    # Past the guards, which let nothing in but by ledger.append.
    connection.execute("SET session_replication_role = replica")
    copied(connection, "seed", map(columns, log))
    connection.execute(SQL["seed_identities"])
    connection.execute(SQL["seed_head"])
    connection.execute("RESET session_replication_role")
    connection.execute("VACUUM (ANALYZE) ledger.stored_events, ledger.identities")


def copied(connection: Connection, name: str, rows: Iterable[tuple[Any, ...]]) -> int:
    """Binary COPY from Python rows by one of the two statements for it; how many."""
    count = 0
    with connection.cursor() as cursor, cursor.copy(SQL[name]) as copy:
        copy.set_types(COLUMN_TYPES)
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


COLUMN_TYPES = (
    "int8",
    "int8",
    "timestamptz",
    "timestamptz",
    "uuid",
    "uuid",
    "text",
    "text",
    "text",
    "bytea",
)


def columns(row: Row) -> tuple[Any, ...]:
    """A row of the log in the order of COLUMN_TYPES."""
    return (
        row.notification_id,
        row.originator_version,
        row.recorded_at,
        row.occurred_at,
        row.originator_id,
        row.event_id,
        row.topic,
        row.project,
        row.credential_id,
        row.state,
    )


@contextmanager
def scene_on(ground: Ground) -> Iterator[Scene]:
    """A fresh, migrated database, dropped at the end with all that stood on it."""
    ground.made += 1
    database = f"bench_{ground.made}"
    name = composed.Identifier(database)
    with psycopg.connect(ground.server.dsn("postgres"), autocommit=True) as admin:
        admin.execute(composed.SQL("CREATE DATABASE {}").format(name))
        try:
            migrate.migrate(ground.server.dsn(database))
            with ExitStack() as stack:
                yield Scene(ground, database, stack)
        finally:
            admin.execute(composed.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _port(child: Child) -> int:
    word, _, url = child.line(START_S).partition(" ")
    if word != "ready":
        raise child.failed(f"said {word!r} instead of `ready`")
    return int(url.rpartition(":")[2])
