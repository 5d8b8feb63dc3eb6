"""A worker: the thread that keeps one projection at the end of the log.

Invariants: whoever holds the projection's advisory lock works, everybody else stands by and takes over; it sleeps only when there is nothing to
fold; a poison event stops this projection alone and is shown until it can be folded. Units: seconds, positions. Errors: none escape."""

from __future__ import annotations

import logging
import os
import select
import threading
import zlib
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import Connection

from ledger import settings
from ledger.connection import Role, conninfo
from ledger.wake import CHANNEL
from projections.build import Build, Poison, head, live
from projections.projection import Projection
from projections.tracking import Positions

log = logging.getLogger("projections")

_STATEMENT_TIMEOUT_S = 3_600.0  # one fold of a build may take long, and nobody waits for it


class Worker(threading.Thread):
    """Keeps one projection up to date until it is stopped. `on_progress(name, position)` is called in this thread."""

    def __init__(
        self, dsn: str, projection: Projection, on_progress: Callable[[str, int], None]
    ) -> None:
        super().__init__(name=f"projection {projection.name}", daemon=True)
        self._conninfo = conninfo(dsn, Role.PROJECTOR, statement_timeout_s=_STATEMENT_TIMEOUT_S)
        self._positions = Positions(dsn)
        self._projection = projection
        self._on_progress = on_progress
        self._ending = threading.Event()
        self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def wake(self) -> None:
        """There is something to fold. May be called from any thread, as often as one likes."""
        try:
            os.write(self._waker, b"\0")
        except (BlockingIOError, OSError):
            # A full pipe is a wake-up already, a closed one needs none.
            pass

    def end(self) -> None:
        """Stop after the fold under way."""
        self._ending.set()
        self.wake()

    def run(self) -> None:
        """Work, and begin again after whatever went wrong, a little later each time."""
        pause_s = settings.RESTART_S_MIN
        while not self._ending.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as connection:
                    self._work(connection)
            except Poison as error:
                log.error("projection %s stopped: %s", self._projection.name, error)
            except Exception as error:  # noqa: BLE001 - a projection outlives whatever befalls its database
                log.warning("projection %s begins again: %s", self._projection.name, error)
            else:
                pause_s = settings.RESTART_S_MIN
            if self._ending.wait(pause_s):
                break
            pause_s = min(pause_s * 2, settings.RESTART_S_MAX)
        os.close(self._woken)

    def _work(self, connection: Connection[Any]) -> None:
        # Rows and position are lost together in a crash, and folded again.
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET jit = off")
        # A plan made while the tables were empty would be kept: it scans all of them for ever after.
        connection.execute("SET plan_cache_mode = force_custom_plan")
        connection.execute(f"LISTEN {CHANNEL}")
        if not self._fenced(connection):
            return
        build = self._live_build(connection)
        self._clear_stopped(connection, build)
        while not self._ending.is_set():
            if not self._catch_up(connection, build):
                self._wait(connection)
            shown = live(connection, self._projection)
            if shown is not None and shown[1] != build.table:
                # A rebuild swapped another table in.
                build = Build(self._projection, shown[1], self._positions)

    def _fenced(self, connection: Connection[Any]) -> bool:
        """Wait for the projection's lock; False when the worker was stopped before it got it."""
        key = zlib.crc32(f"jobledger projection {self._projection.name}".encode())
        while not self._ending.is_set():
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
            if row == (True,):
                return True
            self._wait(connection)
        return False

    def _live_build(self, connection: Connection[Any]) -> Build:
        """The table that readers see, built first when this version has none."""
        shown = live(connection, self._projection)
        if shown is not None and shown[0] == self._projection.version:
            return Build(self._projection, shown[1], self._positions)
        build = Build(self._projection, self._projection.table, self._positions)
        if build.position(connection) is None:
            build.create(connection)
        while self._catch_up(connection, build, settings.REBUILD_EVENTS_MAX):
            if self._ending.is_set():
                raise InterruptedError("stopped in the middle of a build")
        with connection.transaction():
            build.show(connection)
            if shown is not None:
                Build(self._projection, shown[1], self._positions).drop(connection)
        return build

    def _catch_up(
        self,
        connection: Connection[Any],
        build: Build,
        events_max: int = settings.PROJECT_EVENTS_MAX,
    ) -> bool:
        """Fold what there is; False when there was nothing."""
        reached = build.position(connection) or 0
        target = head(connection)
        if target <= reached:
            self._on_progress(self._projection.name, reached)
            return False
        while reached < target and not self._ending.is_set():
            try:
                reached = build.advance(connection, reached, min(target, reached + events_max))
            except Poison as error:
                self._stop_at(connection, build, error)
                raise
            self._on_progress(self._projection.name, reached)
        return True

    def _stop_at(self, connection: Connection[Any], build: Build, error: Poison) -> None:
        connection.execute(
            "INSERT INTO projections.stopped (name, position, error) VALUES (%s, %s, %s) ON CONFLICT (name)"
            " DO UPDATE SET position = excluded.position, error = excluded.error, at = clock_timestamp()",
            (build.table, error.position, error.reason),
        )

    def _clear_stopped(self, connection: Connection[Any], build: Build) -> None:
        """It may have been mended: see whether the event can be folded now, before saying that all is well."""
        self._catch_up(connection, build)
        connection.execute("DELETE FROM projections.stopped WHERE name = %s", (build.table,))

    def _wait(self, connection: Connection[Any]) -> None:
        """Until somebody wakes this worker, in this process or by NOTIFY, or it is time to look anyway."""
        select.select([self._woken, connection.fileno()], [], [], settings.FOLLOW_POLL_S)
        try:
            os.read(self._woken, 65_536)
        except BlockingIOError:
            pass
        # What a wake-up says does not matter: the log tells.
        for _ in connection.notifies(timeout=0):
            pass
