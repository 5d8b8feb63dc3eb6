"""Runners on a database of their own: what each told, and what readers see of it.

Invariants: every wait is for a condition; polls are set so short, unless a test says otherwise, that nothing is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger import settings
from projections import PROJECTIONS
from projections.projection import Projection
from projections.runner import Runner
from tests.fix_log import LIVES, eventually, expected, forger, projector, rows

LOG = LIVES
SOON, NEVER = 0.01, 3_600.0


@dataclass
class Scene:
    """A database and its runners; `told` has what each said, in order."""

    dsn: str
    forger: Connection[Any]
    reader: Connection[Any]
    stack: ExitStack
    told: list[list[tuple[str, int]]] = field(default_factory=list)

    def run(self, *projections: Projection) -> Runner:
        told: list[tuple[str, int]] = []
        self.told.append(told)
        runner = Runner(
            self.dsn,
            projections or PROJECTIONS,
            lambda name, position: told.append((name, position)),
        )
        self.stack.callback(runner.stop)
        runner.start()
        return runner

    def stands(self, position: int, *projections: Projection) -> bool:
        """Whether readers see just the fold of the log up to a position."""
        wanted = expected(LOG[:position])
        try:
            return all(
                rows(self.reader, one, one.name) == wanted[one.name]
                for one in projections or PROJECTIONS
            )
        except psycopg.errors.UndefinedTable:
            return False

    def reaches(self, position: int, *projections: Projection) -> None:
        eventually(lambda: self.stands(position, *projections), f"position {position}")

    def stopped(self) -> dict[str, int]:
        return dict(
            self.reader.execute("SELECT name, position FROM projections.stopped").fetchall()
        )

    def lock_holders(self) -> list[int]:
        found = self.reader.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY pid"
        )
        return [pid for (pid,) in found.fetchall()]


@pytest.fixture
def scene(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(settings, "RESTART_S_MIN", SOON)
    monkeypatch.setattr(settings, "FOLLOW_POLL_S", SOON)
    with ExitStack() as stack:
        yield Scene(
            database,
            stack.enter_context(forger(database)),
            stack.enter_context(projector(database)),
            stack,
        )
