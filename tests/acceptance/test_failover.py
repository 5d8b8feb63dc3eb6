"""A standby takes over: what was acknowledged while PostgreSQL waited for it is there once and unaltered, and clients go on as if nothing had been.

Invariants: both are real servers, and the ledger knows them by one connection string that names both and asks for the one that takes writes. Seen
red with a primary that waits for no standby, and a standby that follows it no more."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from ledger import embedded, migrate
from ledger.cluster import DATABASE, PORT, SUPERUSER, Binaries, configure, identity_for
from ledger.cluster import server_environment as environment
from ledger.connection import LOGINS
from projections import PROJECTIONS
from projections.rebuild import compare
from tests.acceptance.test_killed import CHECKOUT, lines, wait_for_growth
from tests.checker import check
from tests.faults.client import Client
from tests.faults.speakers import CLIENTS, SPEAKERS
from tests.fix_command import Command
from tests.fix_embedded import DEADLINE_S, StartServer, ask, await_standby, kill, wait_until
from tests.writes import read_log

GROWTH = 400  # events before the primary is killed
ANSWERS = 5  # to each client over HTTP behind that
_KEY = ("keys", "create", "--project", "p", "--scope", "jobs:write", "--scope", "jobs:read")


@contextmanager
def standby_of(primary: embedded.Server, folder: Path) -> Iterator[Path]:
    """A standby that has come to where its primary is: where its socket lies."""
    binaries = Binaries(embedded.default_bin_dir())
    data = folder / "postgres"
    backup = binaries.folder / "pg_basebackup"
    copying = (str(backup), "-D", str(data), "-d", primary.dsn(), "-R", "--checkpoint=fast")
    subprocess.run(copying, check=True, env=environment(), timeout=DEADLINE_S)
    with tempfile.TemporaryDirectory(prefix="jl-") as socket, ExitStack() as ending:
        identity = identity_for(binaries, data, Path(socket))
        configure(data, Path(socket), identity)
        command = identity.command(data, binaries.postgres, "-D", str(data))
        log = ending.enter_context((folder / "postgres.log").open("w"))
        process = subprocess.Popen(command, env=environment(), stdout=log, stderr=log)
        ending.callback(process.wait, DEADLINE_S)
        ending.callback(process.send_signal, signal.SIGQUIT)
        followed = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        wait_until(lambda: ask(primary, followed) == 1)
        yield Path(socket)


def reached_at(*sockets: Path, **more: str) -> str:
    """The database on whichever of these servers takes writes."""
    hosts = quote(",".join(map(str, sockets)), safe="")
    given = {"options": LOGINS, "port": str(PORT), **more}
    said = "&".join(f"{name}={quote(word, safe='')}" for name, word in given.items())
    return f"postgresql://{SUPERUSER}@/{DATABASE}?host={hosts}&{said}"


@contextmanager
def written(dsn: str, folder: Path, journals: Path) -> Iterator[list[Client]]:
    """Clients over HTTP and in process, until the block ends and all of those have their answers."""
    with ExitStack() as running:
        command = Command(folder, running)
        command.environment["LEDGER_DATABASE_URL"] = dsn
        serving = command.serve()
        words = [sys.executable, "-m", "tests.load", dsn, str(journals), "in"]
        load = subprocess.Popen(words, cwd=CHECKOUT)
        running.callback(load.wait)
        running.callback(load.kill)
        clients = []
        for nth, speaker in enumerate(CLIENTS[:4]):
            made = command.answer(*_KEY, "--name", f"http-{nth}", place=["--data", str(folder)])
            speaks = SPEAKERS[speaker]
            client = Client(f"http-{nth}", speaks, journals, made["key"], lambda: serving.url)
            client.start()
            clients.append(client)
        yield clients
        assert load.poll() is None, "the clients in process died of it"
        for client in clients:
            client.ending.set()
        for client in clients:
            client.join(DEADLINE_S)
            assert (client.broken, client.refused) == (None, [])


def fail_over(primary: embedded.Server, standby: str, clients: list[Client]) -> None:
    """kill -9 of the one, promotion of the other, and some answers of that."""
    before = [client.acknowledged for client in clients]
    kill(primary)
    with psycopg.connect(standby, autocommit=True) as promoting:
        promoting.execute("SELECT pg_promote()")
    enough = [acknowledged + ANSWERS for acknowledged in before]
    wait_until(lambda: all(a.acknowledged > b for a, b in zip(clients, enough, strict=True)))


@pytest.mark.timeout(300)
def test_what_was_acknowledged_is_at_the_standby(
    start_server: StartServer, cluster_folder: Path, tmp_path: Path
) -> None:
    primary = start_server(cluster_folder)
    migrate.migrate(primary.dsn())
    journals, folder = tmp_path / "journals", tmp_path / "standby"
    journals.mkdir()
    folder.mkdir()
    with standby_of(primary, folder) as socket:
        with psycopg.connect(primary.dsn(), autocommit=True) as owner:
            await_standby(owner, "*")
        waited = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_until(lambda: ask(primary, waited) == 1)
        standby = reached_at(socket)
        both = reached_at(primary.socket, socket, target_session_attrs="read-write")
        with written(both, tmp_path / "serving", journals) as clients:
            wait_for_growth(primary, GROWTH)
            fail_over(primary, standby, clients)
        verdict = check(asyncio.run(read_log(standby)), lines(journals))
        print(dict(verdict.counts), [client.acknowledged for client in clients])
        assert verdict.findings == []
        assert verdict.counts["acknowledged"] > GROWTH // 2
        for projection in PROJECTIONS:
            assert compare(standby, projection.name).different == 0
