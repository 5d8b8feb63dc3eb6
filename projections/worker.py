"""A worker: the thread that keeps one projection at the end of the log.

Invariants: whoever holds the projection's advisory lock works, everybody else stands by and takes over; it sleeps only when there is nothing to
fold; a poison event stops this projection alone and is shown until it can be folded; `on_progress` tells only of what readers see. Units: seconds,
positions. Errors: none escape."""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from ledger import settings
from ledger.connection import Role, conninfo
from projections.beat import Beat
from projections.bell import Bell
from projections.build import Build, Poison, head, live, plan_builds
from projections.crier import news
from projections.crowd import Crowd
from projections.projection import Projection
from projections.tracking import Positions

log = logging.getLogger("projections")


class Worker(threading.Thread):
    """Keeps one projection up to date until it is stopped. `on_progress(name, position)` is called in this thread."""

    def __init__(
        self, dsn: str, projection: Projection, on_progress: Callable[[str, int], None]
    ) -> None:
        super().__init__(name=f"projection {projection.name}", daemon=True)
        self._conninfo = conninfo(dsn, Role.PROJECTOR, statement_timeout_s=settings.FOLD_TIMEOUT_S)
        self._positions = Positions(dsn)
        self._projection = projection
        self._on_progress = on_progress
        self._ending = threading.Event()
        self._bell = Bell()
        self._beat = Beat()
        self._crowd = Crowd()
        self._pause_s = settings.RESTART_S_MIN

    def wake(self, position: int) -> None:
        """The log has grown up to this position. May be called from any thread, as often as one likes."""
        self._bell.ring(position)

    def end(self) -> None:
        """Stop after the fold under way."""
        self._ending.set()
        self._bell.ring()

    def run(self) -> None:
        """Work, and begin again after whatever went wrong, a little later each time."""
        while not self._ending.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as connection:
                    self._work(connection)
            except InterruptedError:
                break
            except Poison as error:
                log.error("projection %s stopped: %s", self._projection.name, error)
            except Exception as error:  # noqa: BLE001 - a projection outlives whatever befalls its database
                log.warning("projection %s begins again: %s", self._projection.name, error)
            else:
                break
            self._ending.wait(self._pause_s)
            self._pause_s = min(self._pause_s * 2, settings.RESTART_S_MAX)
        self._bell.close()

    def _work(self, connection: Connection[Any]) -> None:
        plan_builds(connection)
        if not self._fenced(connection):
            return
        self._bell.listen(connection, past=self._projection.past)
        build = self._shown(connection) or self._built(connection)
        reached = build.position(connection) or 0
        self._tell(connection, reached)
        plan_once(connection)
        planned = reached
        reached = self._catch_up(connection, build, reached)
        # Only what can be folded now has been mended.
        build.resumed(connection)
        look_s = 0.0
        while not self._ending.is_set():
            told = self._bell.wait(connection, look_s)
            if told is not None and told <= reached:
                continue
            began_s, before = time.monotonic(), reached
            try:
                reached = self._catch_up(connection, build, reached)
            except psycopg.errors.UndefinedTable:
                swapped = self._shown(connection)
                if swapped is None or swapped == build:
                    raise
                # A rebuild has put another table in its place.
                build, reached = swapped, swapped.position(connection) or 0
                reached = self._catch_up(connection, build, reached)
            if reached == before:
                look_s = min(max(2 * look_s, settings.FOLD_BEAT_S), settings.FOLLOW_POLL_S)
                continue
            # While the log grows it is looked at again and again, and nobody need ring.
            look_s = 0.0
            if reached >= 2 * planned:
                # Plans were made for tables half as long. Made for nearly none, they would walk whole indexes ever after.
                connection.execute("DISCARD PLANS")
                planned = max(reached, 1)
            self._rest(connection, began_s, before, reached)

    def _rest(self, connection: Connection[Any], began_s: float, before: int, reached: int) -> None:
        """Let more come together, since a fold of a few costs nearly as much as one of many."""
        now_s = time.monotonic()
        if self._projection.past:
            self._linger(connection, now_s + settings.PAST_REST_S)
            return
        until_s = self._beat.after(
            began_s,
            now_s,
            reached - before,
            awaited=self._bell.awaited,
            crowded=partial(self._crowd.there, connection, reached),
        )
        self._ending.wait(min(until_s - now_s, settings.FOLD_BEAT_S))
        self._linger(connection, until_s)

    def _linger(self, connection: Connection[Any], until_s: float) -> None:
        # Unless somebody is in a hurry, and rings without saying how far the log has grown.
        while (left_s := until_s - time.monotonic()) > 0 and not self._ending.is_set():
            if self._bell.wait(connection, left_s) is None:
                return

    def _fenced(self, connection: Connection[Any]) -> bool:
        """Wait for the projection's lock; False when the worker was stopped before it got it."""
        key = fence(self._projection.name)
        while not self._ending.is_set():
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
            if row == (True,):
                return True
            self._ending.wait(settings.FOLLOW_POLL_S)
        return False

    def _shown(self, connection: Connection[Any]) -> Build | None:
        """The table that readers see, if it is of this version."""
        shown = live(connection, self._projection)
        if shown is None or shown[0] != self._projection.version:
            return None
        build = Build(self._projection, shown[1], self._positions)
        return None if build.position(connection) is None else build

    def _built(self, connection: Connection[Any]) -> Build:
        """The table of this version, built beside the one that readers see, then put in its place."""
        build = Build(self._projection, self._projection.table, self._positions)
        if build.position(connection) is None:
            build.create(connection, bare=True)
        self._build_on(connection, build)
        build.index(connection)
        while not self._ending.is_set():
            self._build_on(connection, build)
            shown = live(connection, self._projection)
            other = shown is not None and shown[1] != build.table
            old = Build(self._projection, shown[1], self._positions) if shown and other else None
            if old is not None and old.position(connection) is None:
                old = None  # somebody took it away
            if build.replace(connection, old, level=False):
                return build
            self._ending.wait(settings.SWAP_LOCK_S)
        raise InterruptedError("stopped in the middle of a build")

    def _build_on(self, connection: Connection[Any], build: Build) -> None:
        reached, target = build.position(connection) or 0, head(connection)
        while reached < target:
            if self._ending.is_set():
                raise InterruptedError("stopped in the middle of a build")
            to = min(target, reached + settings.REBUILD_EVENTS_MAX)
            reached = self._advance(connection, build, reached, to)

    def _catch_up(self, connection: Connection[Any], build: Build, reached: int) -> int:
        """Fold what there is; how far it is then."""
        while not self._ending.is_set():
            before, to = reached, reached + settings.PROJECT_EVENTS_MAX
            reached = self._advance(connection, build, before, to, aloud=True)
            if reached == before:
                break
            self._on_progress(self._projection.name, reached)
            if reached < to:
                break
        return reached

    def _advance(
        self, connection: Connection[Any], build: Build, start: int, to: int, *, aloud: bool = False
    ) -> int:
        try:
            reached = build.advance(connection, start, to, aloud=aloud)
        except Poison as error:
            build.stopped(connection, error)
            raise
        self._pause_s = settings.RESTART_S_MIN
        return reached

    def _tell(self, connection: Connection[Any], reached: int) -> None:
        """Where it stands, to this process and to others; each fold tells of itself."""
        self._on_progress(self._projection.name, reached)
        connection.execute("SELECT pg_notify(%s, %s)", news(self._projection.name, reached))


def fence(name: str) -> int:
    """The advisory lock that whoever keeps a projection holds."""
    return zlib.crc32(f"jobledger projection {name}".encode())


def plan_once(connection: Connection[Any]) -> None:
    """Keep the plans of folds from now on, since planning a fold of a few events takes longer than the fold.

    They walk indexes whatever the tables held when they were made: one made while they were short would else scan all of them later."""
    connection.execute("SET plan_cache_mode = force_generic_plan")
    connection.execute("SET enable_seqscan = off")
    connection.execute("RESET work_mem")
