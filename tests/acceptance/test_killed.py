"""kill -9 of PostgreSQL, of the processes that append, and of both, in the middle of appends: nothing acknowledged is lost, nothing doubled."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ledger import embedded, migrate
from tests import journal
from tests.checker import check
from tests.fix_embedded import StartServer, kill, wait_until
from tests.load import CLIENTS
from tests.writes import read_log

CHECKOUT = Path(__file__).parents[2]
ROUNDS = ("postgres", "clients", "both", "postgres")


def wait_for_growth(server: embedded.Server, by: int) -> None:
    """Until the log has so many more events than now."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:

        def head() -> int:
            row = connection.execute("SELECT position FROM ledger.head").fetchone()
            assert row is not None
            return int(row[0])

        goal = head() + by
        wait_until(lambda: head() >= goal)


def kill_and_start_again(
    start_server: StartServer, cluster_folder: Path, journals: Path
) -> embedded.Server:
    """One round after another; the server as the last left it."""
    chance = random.Random(9)
    server = start_server(cluster_folder)
    migrate.migrate(server.dsn())
    clients: subprocess.Popen[bytes] | None = None
    for nth, victim in enumerate(ROUNDS):
        if clients is None:
            command = [sys.executable, "-m", "tests.load", server.dsn(), str(journals), f"p{nth}"]
            clients = subprocess.Popen(command, cwd=CHECKOUT)
        wait_for_growth(server, chance.randrange(300, 900))
        if victim != "clients":
            kill(server)
        if victim != "postgres":
            clients.kill()
            clients.wait()
            clients = None
        server = start_server(cluster_folder)
        assert clients is None or clients.poll() is None, "the clients died of it"
    wait_for_growth(server, 300)
    if clients is not None:
        clients.kill()
        clients.wait()
    return server


def lines(journals: Path) -> Iterator[journal.Line]:
    for path in sorted(journals.glob("*.jsonl")):
        yield from journal.read(path)


@pytest.mark.anyio
async def test_what_was_acknowledged_survives_every_kill(
    start_server: StartServer, cluster_folder: Path, tmp_path: Path
) -> None:
    server = kill_and_start_again(start_server, cluster_folder, tmp_path)
    verdict = check(await read_log(server.dsn()), lines(tmp_path))
    print(dict(verdict.counts))
    assert verdict.findings == []
    assert verdict.counts["acknowledged"] > 900
    assert verdict.counts["refused"] > CLIENTS
    assert verdict.counts["followed"] > verdict.counts["events"]
