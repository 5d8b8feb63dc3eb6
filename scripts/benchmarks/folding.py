"""Projections: folding a log from its start, live as it is followed or as a build, and the one statement that fills the same rows and indexes.

Invariants: the product's own runner folds, in its own batches; the control is plain SQL that knows the sample's four kinds of event and nothing
else, into a table with the same columns and indexes; both leave the very same rows. Errors: Spoilt, when they do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import psycopg
from psycopg import sql as composed

from ledger import settings, sql
from ledger.connection import Role, conninfo
from projections import PROJECTIONS
from projections.build import Build
from projections.projection import SCHEMA, Projection
from projections.runner import Runner
from projections.tracking import Positions
from scripts.benchmarks import life
from scripts.benchmarks.follow import patience_s
from scripts.benchmarks.scene import Scene, fill
from scripts.benchmarks.slot import Measured, Slot, Spoilt

SQL = sql.load(__file__)
Enter = Callable[[Scene], AbstractContextManager[Slot]]
Connection = psycopg.Connection[tuple[Any, ...]]


def followed(*names: str) -> Enter:
    """The runner on live, empty read models: small batches, as behind a running ledger."""
    return _run(names, live=True)


def built(*names: str) -> Enter:
    """The runner on read models that are not there yet: large batches, then shown to readers."""
    return _run(names, live=False)


def _run(names: Sequence[str], *, live: bool) -> Enter:
    @contextmanager
    def enter(scene: Scene) -> Iterator[Slot]:
        chosen = [projection for projection in PROJECTIONS if projection.name in (names or _NAMES)]
        head = _filled(scene)

        def slot(slot_s: float) -> Measured:
            _begin_anew(scene, chosen, live=live)
            left = {projection.name for projection in chosen}
            done = threading.Event()

            def progress(name: str, position: int) -> None:
                if position == head:
                    left.discard(name)
                    if not left:
                        done.set()

            runner = Runner(scene.dsn, chosen, progress)
            began = time.perf_counter()
            runner.start()
            try:
                if not done.wait(patience_s(head)):
                    raise Spoilt(f"{', '.join(left)} did not reach position {head}.")
                took_s = time.perf_counter() - began
            finally:
                runner.stop()
            events_max = settings.PROJECT_EVENTS_MAX if live else settings.REBUILD_EVENTS_MAX
            return Measured(
                head / took_s, beside={"events": head, "events_a_transaction": events_max}
            )

        yield slot

    return enter


def set_based(*names: str) -> Enter:
    """One statement a read model, all of them at the same time, as the runner's threads work."""

    @contextmanager
    def enter(scene: Scene) -> Iterator[Slot]:
        chosen = [projection for projection in PROJECTIONS if projection.name in (names or _NAMES)]
        head = _filled(scene)
        with ExitStack() as stack:
            connections = [stack.enter_context(_connected(scene)) for _ in chosen]
            workers = stack.enter_context(ThreadPoolExecutor(len(chosen)))

            def slot(slot_s: float) -> Measured:
                for projection in chosen:
                    _like(scene.owner, projection)
                began = time.perf_counter()
                list(workers.map(_filled_at_once, connections, chosen))
                return Measured(head / (time.perf_counter() - began), beside={"events": head})

            yield slot
            for projection in chosen:
                _check_rows(scene.owner, projection)

    return enter


_NAMES = tuple(projection.name for projection in PROJECTIONS)


def _filled(scene: Scene) -> int:
    """A log of the sample's jobs; where it ends."""
    if not scene.position():
        scene.control  # noqa: B018 - touched, so that its schema is there
        fill(scene.owner, life.rows(scene.ground.sizes.batch))
    return scene.position()


def _begin_anew(scene: Scene, chosen: Sequence[Projection], *, live: bool) -> None:
    positions = Positions(scene.dsn)
    with psycopg.connect(conninfo(scene.dsn, Role.PROJECTOR), autocommit=True) as connection:
        for projection in chosen:
            build = Build(projection, projection.table, positions)
            with connection.transaction():
                connection.execute(SQL["forget"], (projection.name,))
                connection.execute(
                    composed.SQL("DROP VIEW IF EXISTS {}").format(
                        composed.Identifier(SCHEMA, projection.name)
                    )
                )
                build.drop(connection)
            if live:
                build.create(connection)
                with connection.transaction():
                    build.show(connection)


def _like(connection: Connection, projection: Projection) -> None:
    """The read model's table once more, empty, with all its indexes."""
    names = {
        "control": composed.Identifier("control", projection.name),
        "table": composed.Identifier(SCHEMA, projection.table),
    }
    connection.execute(composed.SQL(SQL["drop"]).format(**names))
    connection.execute(composed.SQL(SQL["like"]).format(**names))


@contextmanager
def _connected(scene: Scene) -> Iterator[Connection]:
    with psycopg.connect(scene.dsn, autocommit=True) as connection:
        # As the runner's own: rows that follow from the log need not wait for the disk.
        connection.execute("SET synchronous_commit = off")
        yield connection


def _filled_at_once(connection: Connection, projection: Projection) -> None:
    connection.execute(SQL[projection.name])


def _check_rows(connection: Connection, projection: Projection) -> None:
    names = {
        "control": composed.Identifier("control", projection.name),
        "table": composed.Identifier(SCHEMA, projection.table),
    }
    row = connection.execute(composed.SQL(SQL["differing"]).format(**names)).fetchone()
    assert row is not None
    rows, differing = row
    if differing or not rows:
        raise Spoilt(
            f"Of {rows} rows of {projection.name}, {differing} differ from those that one statement makes."
        )
