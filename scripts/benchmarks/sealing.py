"""Sealing: what the checkpointer costs appends and how long events wait for a signature; and an audit of the whole log against reading it.

Invariants: the sealed ledger is like the other one, with a notary's folder and a checkpoint each half second, ten times as often as by default; an
audit finds nothing wrong, or does not count. Units: milliseconds, events a second. Errors: Spoilt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from ledger import audit, settings
from ledger.checkpointer import Checkpointer
from ledger.connection import Role, conninfo
from scripts.benchmarks import appending
from scripts.benchmarks.follow import POLL_S, SQL
from scripts.benchmarks.scene import START_S, Connection, Scene, scene_on
from scripts.benchmarks.slot import Measured, Slot, Spoilt

CONNECTIONS = 32
INTERVAL_S = 0.5
ROWS = 10_000  # at a time, as a reader of a long answer takes them


@contextmanager
def appended(host: Scene) -> Iterator[Slot]:
    """Appends to a ledger that is sealed meanwhile."""
    with scene_on(host.ground, host=host) as scene:
        folder = host.ground.folder / f"{scene.database}.notary"
        told = {
            "LEDGER_NOTARY_DIR": str(folder),
            "LEDGER_CHECKPOINT_INTERVAL_S": str(INTERVAL_S),
        }
        port, asked = scene.served(1, told), appending.steps(scene, waits=False)

        def slot(slot_s: float) -> Measured:
            before = scene.position()
            measured = appending.appended(scene, port, asked, CONNECTIONS, slot_s)
            _wait_for_seal(scene.owner)
            row = scene.owner.execute(SQL["unsealed_ms"], (before,)).fetchone()
            assert row is not None
            p50_ms, p99_ms = row[0]
            return replace(
                measured, beside={**measured.beside, "lag_p50_ms": p50_ms, "lag_p99_ms": p99_ms}
            )

        yield slot


@contextmanager
def verified(host: Scene) -> Iterator[Slot]:
    """The audit of `jobledger verify`: every event against its leaf, the leaves against the tree, the tree against every checkpoint."""
    scene = host.among("100k")
    _seal(scene, host.ground.folder / f"{scene.database}.notary")
    with _auditor(scene) as connection:

        def slot(_: float) -> Measured:
            [(epoch, _statement)] = audit.epochs(connection).values()
            reading = audit.Audit(connection, epoch, audit.published_keys(connection))
            began = time.perf_counter()
            found = reading.run()
            took_s = time.perf_counter() - began
            if found.wrong or found.unsigned or found.events != scene.position():
                raise Spoilt(f"The audit found: {found}")
            return Measured(found.events / took_s, beside={"events": found.events})

        yield slot


@contextmanager
def read(host: Scene) -> Iterator[Slot]:
    """The same rows, read over the same kind of connection and looked at no further."""
    scene = host.among("100k")
    with _auditor(scene) as connection:

        def slot(_: float) -> Measured:
            began = time.perf_counter()
            with connection.transaction(), connection.cursor("rows", binary=True) as cursor:
                cursor.itersize = ROWS
                cursor.execute(SQL["rows"])
                events = sum(1 for _ in cursor)
            return Measured(events / (time.perf_counter() - began))

        yield slot


@contextmanager
def _auditor(scene: Scene) -> Iterator[Connection]:
    dsn = conninfo(scene.dsn, Role.AUDITOR, statement_timeout_s=settings.REBUILD_TIMEOUT_S)
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        yield connection


def _seal(scene: Scene, folder: Path) -> None:
    if _is_sealed(scene.owner):
        return
    sealing = Checkpointer(scene.dsn, folder, INTERVAL_S)
    sealing.start()
    try:
        _wait_for_seal(scene.owner)
    finally:
        sealing.end()
        sealing.join()


def _wait_for_seal(owner: Connection) -> None:
    deadline = time.monotonic() + START_S
    while not _is_sealed(owner):
        if time.monotonic() > deadline:
            raise Spoilt(f"The log was not sealed within {START_S:g} s.")
        time.sleep(POLL_S)


def _is_sealed(owner: Connection) -> bool:
    (sealed,) = owner.execute(SQL["sealed"]).fetchone() or (0,)
    (head,) = owner.execute(SQL["head"]).fetchone() or (0,)
    return bool(sealed == head)
