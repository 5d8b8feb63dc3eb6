"""The scene of one goal: a database of its own, and the processes that its contestants share, each made when first asked for.

Invariants: everything is on one PostgreSQL server and ends with the scene; it begins as a copy of a data set, empty or large, and whatever is
done in it leaves the data set as it was. Units: seconds; sizes in jobs. Errors: ChildFailed, Spoilt."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from secrets import token_bytes
from typing import Any

import psycopg

from api import keys, secret
from api.operation import Scope
from ledger import embedded
from ledger.codec import Row
from scripts.benchmarks import cost, dataset, follow, life, shelf
from scripts.benchmarks.child import Child, started
from scripts.benchmarks.client import Load, loaded
from scripts.benchmarks.follow import SQL
from scripts.benchmarks.slot import Spoilt

START_S = 120.0  # for a server to be ready on a long log
IDS = 1_000  # jobs that are asked for by id
DEEP_JOBS = 10_000  # jobs of a data set whose shares are those that were asked for

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is: jobs in a data set at most, and jobs in what is imported or folded in one go."""

    jobs_max: int
    batch: int

    def jobs(self, size: dataset.Size) -> int:
        """How many jobs a data set has in this run."""
        return min(self.jobs_max, dataset.SETS[size])


@dataclass
class Ground:
    """What all scenes stand on: the server, the folder it lies in, and the sizes asked for."""

    server: embedded.Server
    folder: Path
    sizes: Sizes
    made: int = 0


@dataclass
class Scene:
    """One goal's own database and processes. `host` is the scene that this one stands beside, whose clients it uses."""

    ground: Ground
    database: str
    jobs: int
    stack: ExitStack = field(repr=False)
    host: Scene | None = field(default=None, repr=False)
    servers: dict[int, Child] = field(default_factory=dict, repr=False)
    beside: dict[dataset.Size, Scene] = field(default_factory=dict, repr=False)

    def among(self, size: dataset.Size) -> Scene:
        """The scene beside this one with a data set of this size."""
        if size == "none":
            return self
        if size not in self.beside:
            self.beside[size] = self.stack.enter_context(scene_on(self.ground, size, host=self))
        return self.beside[size]

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
        if self.host is not None:
            return self.host.load
        return self.stack.enter_context(loaded(self.ground.server.pid))

    @cached_property
    def product(self) -> int:
        """The port of `jobledger serve` with one worker, read models running."""
        return self.served(1)

    @cached_property
    def product_of_two(self) -> int:
        """The same with two workers."""
        return self.served(2)

    def served(self, workers: int, told: Mapping[str, str] | None = None) -> int:
        """The port of a server of so many workers, told some of its settings."""
        command = [sys.executable, "-m", "api.cli", "serve", "--port", "0", "--workers"]
        command.append(str(workers))
        child = self.stack.enter_context(
            started("jobledger serve", command, {**self.environment, **(told or {})})
        )
        port = _port(child)
        self.servers[port] = child
        self.caught_up()
        return port

    @property
    def environment(self) -> dict[str, str]:
        """What a `jobledger` command must know to work here."""
        return {
            "LEDGER_DATABASE_URL": self.dsn,
            "LEDGER_SECRET_FILE": str(self.secret_file),
            "LEDGER_LOG_LEVEL": "error",
        }

    def memory_mib(self, port: int) -> float:
        """What the processes of a server hold together, pages that they share counted once."""
        return cost.memory_mib(self.servers[port].pid)

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
    def ids(self) -> tuple[str, ...]:
        """Some jobs of the first project, from all over the table."""
        found = self.owner.execute(SQL["ids_of"], (life.PROJECT, IDS)).fetchall()
        return tuple(str(row[0]) for row in found)

    @property
    def depth(self) -> int:
        """How many jobs lie before a page that is called deep: of a million, 500,000. The first project has more than that in one state."""
        return self.jobs // 2 if self.jobs >= DEEP_JOBS else self.jobs // 4

    def caught_up(self) -> float:
        """Wait until all read models are at the end of the log; seconds it took."""
        return follow.caught_up(self.owner)

    def position(self) -> int:
        """Where the log ends."""
        row = self.owner.execute(SQL["head"]).fetchone()
        assert row is not None
        return int(row[0])

    def check_log(self) -> None:
        """Positions are dense: the log has as many events as its last position says. Raises Spoilt."""
        if len(set(self.owner.execute(SQL["log"]).fetchone() or ())) != 1:
            raise Spoilt("The log has holes: its events, its last position and its head disagree.")


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
def scene_on(
    ground: Ground, size: dataset.Size = "none", host: Scene | None = None
) -> Iterator[Scene]:
    """A database of its own with a data set of this size, dropped at the end with all that stood on it."""
    ground.made += 1
    database = f"{shelf.SCENE}_{os.getpid()}_{ground.made}"
    jobs = ground.sizes.jobs(size)
    template = shelf.template(ground.server, jobs)
    with _admin(ground) as admin:
        shelf.copied(admin, template, database)
    try:
        with ExitStack() as stack:
            yield Scene(ground, database, jobs, stack, host)
    finally:
        # A connection of today: the server may have been killed meanwhile, which is what some are here for.
        with _admin(ground) as admin:
            shelf.drop(admin, database)


def _admin(ground: Ground) -> Connection:
    return psycopg.connect(ground.server.dsn("postgres"), autocommit=True)


def _port(child: Child) -> int:
    word, _, url = child.line(START_S).partition(" ")
    if word != "ready":
        raise child.failed(f"said {word!r} instead of `ready`")
    return int(url.rpartition(":")[2])
