"""FAULTS: what is done to a ledger under load, one row each.

Invariants: a strike harms real processes, connections, disks; it returns when it has put back what only an operator could (a killed process
started again, room on the disk), and the ledger has to find its way back by itself from there. Units: seconds, bytes.
Errors: AssertionError when the harm cannot be done."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import psycopg

from tests.faults.client import wait_for
from tests.faults.rig import Rig
from tests.fix_embedded import await_standby, kill
from tests.proxy import Cut

APPEND = '{"events":[['  # stands in the one parameter of each append, and in no other message
STARVED_S = 2.0  # how long a fault lasts that must be felt, at least: full disk, no connections
SHAKEN_S = 4.0  # how long lines are cut at any moment
CONNECTION_S = 0.1  # and about how long one lives then
BALLAST_BYTES = 1 << 20


@dataclass(frozen=True)
class Fault:
    """One row. `kills`: rounds of it count as kill rounds. `small_disk`: it needs PostgreSQL's folder on a small file system of its own."""

    name: str
    what: str
    strike: Callable[[Rig], None]
    kills: bool = False
    small_disk: bool = False


def _kill_server(rig: Rig) -> None:
    assert rig.serving is not None
    rig.serving.end(signal.SIGKILL)
    rig.serve()


def _kill_projector(rig: Rig) -> None:
    before = rig.projector()
    assert before is not None, "there is no projector to kill"
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: rig.projector() not in (None, before), "another projector")


def _kill_postgres(rig: Rig) -> None:
    kill(rig.server)
    rig.start_postgres()


def _kill_backend(rig: Rig) -> None:
    """As Linux does for want of memory. PostgreSQL then ends all sessions, and reads its log again."""

    def killed() -> bool:
        # Those who were ended before may still be on their way back, and PostgreSQL at its log.
        with suppress(psycopg.OperationalError), rig.owner() as owner:
            for (pid,) in owner.execute(
                "SELECT pid FROM pg_stat_activity WHERE usename = 'jobledger_app' ORDER BY random() LIMIT 1"
            ):
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    wait_for(killed, "a session to kill")


def _kill_clients(rig: Rig) -> None:
    rig.kill_load()
    rig.load()


def _kill_all(rig: Rig) -> None:
    assert rig.serving is not None
    os.kill(rig.serving.process.pid, signal.SIGKILL)
    kill(rig.server)
    rig.kill_load()
    rig.serving.process.wait()
    rig.start_postgres()
    rig.serve()
    rig.load()


def _terminate_server(rig: Rig) -> None:
    assert rig.serving is not None
    assert rig.serving.end(signal.SIGTERM) == 0, "the server did not end in order"
    rig.serve()


def _cut(when: Cut) -> Callable[[Rig], None]:
    def strike(rig: Rig) -> None:
        before = rig.proxy.cuts
        rig.cut(when, APPEND)
        wait_for(lambda: rig.proxy.cuts > before, "an append to cut")

    return strike


def _shake(rig: Rig) -> None:
    """Each connection of the server is cut, and each that it makes instead, whatever it is at: most do not even come to ask."""
    before = rig.proxy.cuts
    rig.on_loop(rig.proxy.shake(SHAKEN_S, CONNECTION_S, rig.chance))
    assert rig.proxy.cuts > before, "there was nothing to cut"


def _restart_postgres(rig: Rig) -> None:
    rig.server.stop("fast")
    rig.start_postgres()


def _terminate_backends(rig: Rig) -> None:
    with rig.owner() as owner:
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


DEAFEN_TRIES_MAX = 300  # a tenth of a second each: a projector that begins again rests for some


def _deafen(rig: Rig) -> None:
    """End the sessions that listen for wake-ups, and those that read models are folded on."""
    with rig.owner() as owner:
        # Those who were ended before may still be on their way back.
        for _ in range(DEAFEN_TRIES_MAX):
            ended = owner.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' OR application_name LIKE '%projector'"
            ).fetchone()
            if ended is not None and ended[0] > 0:
                return
            owner.execute("SELECT pg_sleep(0.1)")
    raise AssertionError("nobody listens")


def _take_all_connections(rig: Rig) -> None:
    """Every connection that PostgreSQL has to give, and those of the ledger ended, so that it must ask for new ones."""
    with rig.owner() as owner, ExitStack() as taken:
        until_s = time.monotonic() + STARVED_S
        while time.monotonic() < until_s:
            try:
                hoarded = psycopg.connect(rig.server.dsn(), application_name="hoarder")
            except psycopg.OperationalError:
                owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                    " AND pid <> pg_backend_pid() AND application_name <> 'hoarder' AND random() < 0.5"
                )
            else:
                taken.enter_context(hoarded)


def _fill_disk(rig: Rig) -> None:
    """Not a byte is left until clients feel it; then an operator makes room, and starts PostgreSQL if it gave up."""
    ballast = rig.data / "ballast"
    until_s = time.monotonic() + STARVED_S
    unanswered = rig.unanswered
    try:
        with ballast.open("wb", buffering=0) as file, rig.owner() as owner:
            while time.monotonic() < until_s or rig.unanswered < unanswered + len(rig.clients):
                try:
                    file.write(bytes(BALLAST_BYTES))
                except OSError:
                    # What is freed meanwhile is taken at once. The rest of a file of the write-ahead log is given up, so that a new one is needed.
                    with suppress(psycopg.Error):
                        owner.execute("SELECT pg_switch_wal()")
                    time.sleep(0.01)
    finally:
        ballast.unlink()
    if not rig.server.is_running():
        rig.start_postgres()


def _lose_standby(rig: Rig) -> None:
    """PostgreSQL is told to wait for a standby that is not there, until clients are told to come again; then an operator does without it."""
    with rig.owner() as owner:
        unanswered = rig.unanswered
        await_standby(owner, "nobody")
        try:
            wait_for(
                lambda: rig.unanswered >= unanswered + len(rig.clients),
                "a client told to come again",
            )
        finally:
            await_standby(owner, "")


def _step_clock(rig: Rig) -> None:
    """The clock that was an hour ahead is set right: to the log it is the same whether its last time is ahead or the clock behind."""
    with rig.owner() as owner:
        owner.execute("UPDATE ledger.head SET recorded_at = clock_timestamp() + interval '1 hour'")


FAULTS: tuple[Fault, ...] = (
    Fault(
        "kill-server",
        "kill -9 of the server, which takes its projector along",
        _kill_server,
        kills=True,
    ),
    Fault("kill-projector", "kill -9 of the projector", _kill_projector, kills=True),
    Fault("kill-postgres", "kill -9 of PostgreSQL", _kill_postgres, kills=True),
    Fault("kill-backend", "kill -9 of one of PostgreSQL's sessions", _kill_backend, kills=True),
    Fault(
        "kill-clients", "kill -9 of the process that appends in process", _kill_clients, kills=True
    ),
    Fault("kill-all", "kill -9 of all of them at once", _kill_all, kills=True),
    Fault(
        "terminate-server", "SIGTERM under load: what is under way is finished", _terminate_server
    ),
    Fault(
        "cut-before", "the connection is cut before an append reaches PostgreSQL", _cut(Cut.BEFORE)
    ),
    Fault("cut-while", "the connection is cut while the append is committed", _cut(Cut.WHILE)),
    Fault(
        "cut-after", "the connection is cut after the commit, before its answer", _cut(Cut.AFTER)
    ),
    Fault("shake", "every connection is cut at any moment, over and over", _shake),
    Fault("restart-postgres", "PostgreSQL is restarted", _restart_postgres),
    Fault("terminate-backends", "every session of PostgreSQL is terminated", _terminate_backends),
    Fault("deafen", "the sessions that listen for wake-ups are terminated", _deafen),
    Fault("no-connections", "every connection is taken by somebody else", _take_all_connections),
    Fault(
        "standby-away",
        "PostgreSQL waits for a standby that does not answer, with every commit",
        _lose_standby,
    ),
    Fault(
        "step-clock",
        "the clock is stepped back an hour (by a seam: the log's last time is put ahead)",
        _step_clock,
    ),
    Fault("disk-full", "the disk is full for some time", _fill_disk, small_disk=True),
)
