"""Durability over HTTP: clients with journals, while the server, its database or both are killed with -9 again and again.

The checker joins the journals with the log: what was acknowledged is there once and unaltered, what was refused is not there at all."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
from psycopg import AsyncConnection

from ledger import store
from ledger.connection import Role, conninfo
from ledger.events import Recorded
from projections import PROJECTIONS
from projections.rebuild import compare
from tests import journal
from tests.checker import check
from tests.fix_command import Command, Serving
from tests.fix_embedded import wait_until
from tests.journal import Journal, Outcome, Said

ROUNDS = int(os.environ.get("LEDGER_CRASH_ROUNDS", "3"))
CLIENTS = 8
LIFE = ("queued", "started", "progressed", "succeeded")
RETRY_S = 0.05


class Client(threading.Thread):
    """One client: lets jobs live, and repeats under the same key whatever it was not told the outcome of."""

    def __init__(self, name: str, folder: Path, key: str, url: Callable[[], str]) -> None:
        super().__init__(name=name, daemon=True)
        self.acknowledged = 0
        self.ending = threading.Event()
        self._path = folder / f"{name}.journal"
        self._http = httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=10)
        self._url = url
        self._operations = 0

    def run(self) -> None:
        """Until it is told to end, and the operation under way has its outcome."""
        with Journal(self._path) as self._journal, self._http:
            while not self.ending.is_set():
                body = {
                    "type": "Crash",
                    "owner": self.name,
                    "object": f"{self.name} {self._operations}",
                }
                job = self._ask("/v1/projects/p/jobs", Said("job.created", body), body)
                for event in LIFE:
                    if job is None or self.ending.is_set():
                        break
                    fields = {"progress": 0.5} if event == "progressed" else {}
                    said = Said(f"job.{event}", fields, job["id"])
                    job = self._ask(
                        f"/v1/projects/p/jobs/{job['id']}/events", said, {"event": event, **fields}
                    )

    def _ask(self, path: str, said: Said, body: dict[str, Any]) -> dict[str, Any] | None:
        operation = f"{self.name}-{self._operations}"
        self._operations += 1
        while True:
            self._journal.sent(operation, (said,))
            outcome, answer = self._once(path, operation, body)
            self._journal.told(operation, outcome, answer)
            if outcome is Outcome.OK:
                self.acknowledged += 1
                return answer
            if outcome is Outcome.FAIL:
                return None
            time.sleep(RETRY_S)

    def _once(
        self, path: str, operation: str, body: dict[str, Any]
    ) -> tuple[Outcome, dict[str, Any] | None]:
        try:
            answer = self._http.post(
                self._url() + path,
                json={**body, "note": operation},
                headers={"Idempotency-Key": operation, "Prefer": "respond-async"},
            )
        except httpx.HTTPError:
            return Outcome.UNKNOWN, None
        if answer.is_success:
            told: dict[str, Any] = answer.json()
            return Outcome.OK, told
        passing = answer.status_code >= 500 or answer.headers.get("retry-after")
        return (Outcome.UNKNOWN if passing else Outcome.FAIL), None


@contextmanager
def clients(folder: Path, key: str, url: Callable[[], str]) -> Iterator[list[Client]]:
    """Eight of them, ended with the block."""
    started = [Client(f"c{nth}", folder, key, url) for nth in range(CLIENTS)]
    with ExitStack() as ending:
        for client in started:
            ending.callback(client.join, 60)
            client.start()
        for client in started:
            ending.callback(client.ending.set)
        yield started


def kill_all_of(command: Command, serving: Serving, victims: str) -> None:
    """kill -9, and wait until they are gone, since a connection of a dead database may answer once more. The server takes its database with it only
    when both are meant."""
    postmaster = command.postgres()
    connections: list[Path] = []
    if "postgres" in victims and postmaster is not None:
        told = Path(f"/proc/{postmaster.pid}/task/{postmaster.pid}/children").read_text()
        connections = [Path(f"/proc/{pid}/cmdline") for pid in told.split()]
        os.kill(postmaster.pid, signal.SIGKILL)
    if "server" in victims:
        serving.end(signal.SIGKILL)
    wait_until(lambda: not any(map(_runs, connections)))


def _runs(command_line: Path) -> bool:
    try:
        return bool(command_line.read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


async def whole_log(dsn: str) -> list[Recorded]:
    """Every event, in order."""
    log: list[Recorded] = []
    async with await AsyncConnection.connect(
        conninfo(dsn, Role.APP), autocommit=True
    ) as connection:
        while page := await store.read_after(connection, len(log), 5_000):
            log += page
    return log


def test_nothing_acknowledged_is_lost_to_kill_9(command: Command, tmp_path: Path) -> None:
    chance = random.Random(60531)
    serving = command.serve()
    key = command.answer("keys", "create", "--project", "p", "--scope", "jobs:write")["key"]
    with clients(tmp_path, key, lambda: serving.url or "") as started:
        for nth in range(ROUNDS):
            enough = sum(client.acknowledged for client in started) + 40 + chance.randrange(80)
            deadline = time.monotonic() + 60
            while sum(client.acknowledged for client in started) < enough:
                assert time.monotonic() < deadline, serving.errors.read_text()[-2_000:]
                time.sleep(0.01)
            victims = ("server", "server and postgres", "postgres")[nth % 3]
            kill_all_of(command, serving, victims)
            if "server" in victims:
                serving = command.serve()
    dsn = dsn_of(command)
    log = asyncio.run(whole_log(dsn))
    verdict = check(
        log, (line for path in sorted(tmp_path.glob("*.journal")) for line in journal.read(path))
    )
    assert verdict.findings == [], verdict.findings[:10]
    assert verdict.counts["acknowledged"] >= 40 * ROUNDS
    wait_for_level(command, len(log))
    for projection in PROJECTIONS:
        assert compare(dsn, projection.name).different == 0
    print(dict(verdict.counts))
    assert serving.end() == 0


def dsn_of(command: Command) -> str:
    """Where the database is, once the server has revived it."""
    deadline = time.monotonic() + 60
    while (found := command("dsn")).returncode != 0:
        assert time.monotonic() < deadline, found.stderr
        time.sleep(0.1)
    return found.stdout.strip()


def wait_for_level(command: Command, position: int) -> None:
    """Until every read model is at the end of the log."""
    deadline = time.monotonic() + 60
    while True:
        reached = command.answer("status")["projections"].values()
        if all(one["position"] >= position for one in reached):
            return
        assert time.monotonic() < deadline, reached
