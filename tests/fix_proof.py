"""A sealed ledger for tests: events, the tree over them, and checkpoints signed by a notary of the test's own.

Invariants: the tree is grown and signed by the checkpointer's own steps, at once and without its thread. Units: positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from ledger import checkpoint, events, tree
from ledger.checkpoint import Checkpoint
from ledger.checkpointer import Checkpointer
from ledger.connection import Role, conninfo
from ledger.events import Envelope, Event, Recorded
from ledger.notary import Notary
from tests.fix_log import forger, record

START = datetime(2024, 5, 6, 7, 8, 9, 123_456, tzinfo=UTC)
LIFE: Sequence[Event] = (
    events.Queued(),
    events.Started(),
    events.Progressed(progress=0.5),
    events.Succeeded(),
)


def history(jobs: int, *, after: int = 0, project: str = "demo") -> list[Recorded]:
    """So many jobs' lives, one after another, behind a position. Every third event has no time of its own."""
    made: list[Recorded] = []
    for job in range(after, after + jobs * 5, 5):
        job_id = UUID(int=job + 1, version=4)
        for version, event in enumerate((created(job), *LIFE), start=1):
            position = after + len(made) + 1
            at = START + timedelta(seconds=position)
            envelope = Envelope(
                project=project,
                actor="ann",
                credential_id="k1" if position % 2 else None,
                occurred_at=None if position % 3 == 0 else at - timedelta(seconds=1),
                note=f"event {position}",
            )
            event_id = UUID(int=position, version=4)
            made.append(Recorded(position, event_id, job_id, version, at, envelope, event))
    return made


def created(number: int) -> events.Created:
    return events.Created(type="VirtualServer", owner="ann", number=number + 1)


@dataclass
class Sealed:
    """A ledger and its notary."""

    dsn: str
    folder: Path

    @property
    def notary(self) -> Notary:
        return Notary(self.folder)

    def append(self, log: Sequence[Recorded]) -> None:
        """Write events behind those that are there."""
        with forger(self.dsn) as connection:
            record(connection, log)

    def seal(self) -> Checkpoint:
        """Grow the tree to the end of the log and have it signed; the checkpoint."""
        checkpointer = Checkpointer(self.dsn, self.folder, 60.0, "example.com/log")
        with psycopg.connect(conninfo(self.dsn, Role.PROVER), autocommit=True) as connection:
            connection.execute("SET search_path = pg_catalog")
            checkpointer.seal(connection)
        return self.last()

    def note(self) -> str:
        """The last checkpoint as it is published."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(
                "SELECT note FROM proof.checkpoints ORDER BY epoch DESC, size DESC LIMIT 1"
            ).fetchone()
        assert row is not None
        return str(row[0])

    def vkeys(self) -> list[str]:
        """The keys that sign, as an auditor gets them."""
        memory = self.notary.memory()
        assert memory is not None
        return [str(signer.verifier) for signer in self.notary.signers(memory.last.origin)]

    def last(self) -> Checkpoint:
        """The last checkpoint, opened by the keys of the notary."""
        memory = self.notary.memory()
        assert memory is not None
        signers = self.notary.signers(memory.last.origin)
        return checkpoint.opened(self.note(), [signer.verifier for signer in signers])

    def stored(self) -> tree.Tree:
        """The tree as the database has it, its connection closed."""
        with psycopg.connect(self.dsn) as connection:
            current = tree.epoch(connection)
            assert current is not None
            return tree.Tree.stored(connection, current)


@pytest.fixture
def sealed(database: str, tmp_path: Path) -> Sealed:
    """An empty ledger, not signed yet."""
    return Sealed(database, tmp_path / "notary")
