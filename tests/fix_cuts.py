"""Two ledgers: one that holds a whole log, and one that holds what it had been until a position, and nothing of what came later.

Invariants: the shorter one's rows are the longer one's, byte for byte; its read models are folded anew from them. Events were recorded hours or
days apart, so that what looks back from now looks at another part of the log at each position; some at one time. Both are asked through the
whole product but HTTP, with a clock that the test sets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from api.dialects.dialect import Dialect
from api.operation import Asked, Operation, Said
from api.secret import SECRET_BYTES, Secret
from api.teller import Teller
from ledger import embedded, settings, store
from ledger.connection import Role, conninfo
from ledger.errors import LedgerError
from ledger.job import Job
from tests.fix_jobs import Ledger, fold, play
from tests.fix_postgres import cloned

# When the first event was recorded: after what the jobs' own times say, and long enough ago for all the others.
RECORDED: Final = datetime(2024, 3, 1, tzinfo=UTC)
JOBS: Final = 40  # about 150 events, over some three months

Told = Said | str


@dataclass
class Cuts:
    """The two ledgers: `whole`, and `cut`, which holds the log up to `position`."""

    ledger: Ledger
    jobs: tuple[Job, ...]
    whole: Teller
    cut: Teller
    admin: psycopg.Connection
    runner: asyncio.Runner
    position: int = field(default=-1)

    def to(self, position: int) -> None:
        """Cut the log behind this position."""
        if position == self.position:
            return
        with self.admin.transaction():
            # The log's own guards would refuse this.
            self.admin.execute("SET LOCAL session_replication_role = replica")
            self.admin.execute(
                "DELETE FROM ledger.stored_events WHERE notification_id > %s", (position,)
            )
            self.admin.execute(
                "INSERT INTO ledger.stored_events SELECT * FROM public.whole WHERE notification_id <= %s ON CONFLICT DO NOTHING",
                (position,),
            )
            _put_head(self.admin)
        fold(Ledger(self.cut_dsn, self.ledger.log[:position]))
        self.position = position

    @property
    def cut_dsn(self) -> str:
        return self.admin.info.dsn

    def ask(self, teller: Teller, dialect: Dialect, operation: Operation, asked: Asked) -> Told:
        """What is answered, or the refusal in the ledger's words."""

        async def answered() -> Told:
            try:
                return await teller.perform(dialect, operation, asked)
            except LedgerError as error:
                return f"{type(error).__name__}: {error}"

        return self.runner.run(answered())


def _put_head(admin: psycopg.Connection) -> None:
    admin.execute(
        "UPDATE ledger.head SET (position, recorded_at)"
        " = (SELECT coalesce(max(notification_id), 0), coalesce(max(recorded_at), '2024-01-01Z') FROM ledger.stored_events)"
    )


def _spread(dsn: str, log: int, chance: random.Random) -> None:
    """Let time pass between the events, as if they had been recorded then."""
    at, times = RECORDED, []
    for _ in range(log):
        at += chance.choice((timedelta(), timedelta(microseconds=1), timedelta(hours=chance.randrange(72))))  # fmt: skip
        times.append(at)
    with psycopg.connect(dsn, autocommit=True) as admin, admin.transaction():
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute(
            "UPDATE ledger.stored_events SET recorded_at = (%s::timestamptz[])[notification_id]",
            (times,),
        )
        _put_head(admin)


async def _read(dsn: str) -> Ledger:
    where = conninfo(dsn, Role.APP)
    async with await AsyncConnection.connect(where, autocommit=True) as connection:
        return Ledger(dsn, tuple(await store.read_after(connection, 0, 1_000_000)))


@contextmanager
def cutting(
    postgres: embedded.Server, admin: psycopg.Connection, template: str, seed: int
) -> Iterator[Cuts]:
    """The two ledgers of a log that this seed chose."""
    with (
        pytest.MonkeyPatch.context() as patch,
        cloned(postgres, admin, template) as dsn,
        asyncio.Runner() as runner,
    ):
        # So that the few events of a test are many stretches.
        patch.setattr(settings, "COUNTS_STRETCH", 16)
        played = runner.run(play(dsn, JOBS, seed))
        _spread(dsn, len(played.log), random.Random(seed))
        ledger = runner.run(_read(dsn))
        with (
            cloned(postgres, admin, str(conninfo_to_dict(dsn)["dbname"])) as cut_dsn,
            psycopg.connect(cut_dsn, autocommit=True) as cutter,
        ):
            cutter.execute("CREATE TABLE public.whole AS TABLE ledger.stored_events")
            for one in (ledger, Ledger(cut_dsn, ledger.log)):
                fold(one)
            tellers = AsyncExitStack()
            try:
                whole, cut = (
                    runner.run(tellers.enter_async_context(_teller(where)))
                    for where in (dsn, cut_dsn)
                )
                jobs = tuple(ledger.jobs().values())
                yield Cuts(ledger, jobs, whole, cut, cutter, runner)
            finally:
                runner.run(tellers.aclose())


def _teller(dsn: str) -> Teller:
    return Teller(dsn, Secret(bytes(SECRET_BYTES)), run_projections=False)


@pytest.fixture(scope="module")
def cuts(
    request: pytest.FixtureRequest,
    postgres: embedded.Server,
    postgres_admin: psycopg.Connection,
    template_database: str,
) -> Iterator[Cuts]:
    """The two ledgers of a log; the fixture's parameter is its seed."""
    seed: Any = request.param
    with cutting(postgres, postgres_admin, template_database, int(seed)) as found:
        yield found
