"""A rig: one ledger under load, whose every process can be harmed, and what its journals say in the end.

Invariants: PostgreSQL is the rig's own, and the server reaches it through a proxy that can cut; in-process clients go to it directly; what the
rig started is ended with it. Units: seconds. Errors: AssertionError for a ledger that does not come back."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection

from ledger import embedded, migrate
from ledger.connection import Role, conninfo
from projections import PROJECTIONS
from projections.position import Reached, positions
from projections.rebuild import compare
from tests import journal
from tests.checker import Verdict, check
from tests.faults.client import Client, wait_for
from tests.faults.speakers import CLIENTS, SPEAKERS
from tests.fix_command import Command, Serving
from tests.proxy import Cut, Proxy
from tests.writes import read_log

CHECKOUT = Path(__file__).parents[2]
DISMISS_S = 60.0  # for all clients to hear what became of their last requests
_KEY = ("keys", "create", "--project", "p", "--scope", "jobs:write", "--scope", "jobs:read")


class Rig:
    """`with Rig(folder) as rig:` the ledger runs and is under load until `settle`. `data`: where PostgreSQL's folder is, if not in `folder`."""

    def __init__(self, folder: Path, *, data: Path | None = None, seed: int = 60531) -> None:
        self.chance = random.Random(seed)
        self.journals = folder / "journals"
        self.journals.mkdir(parents=True)
        self.data = data or folder / "data"
        self._secret = folder / "secret"
        self._secret.mkdir()
        self._ending = ExitStack()
        self._loop = asyncio.new_event_loop()
        self.server: embedded.Server
        self.serving: Serving | None = None
        self.proxy: Proxy
        self.clients: list[Client] = []
        self._load: subprocess.Popen[bytes] | None = None
        self._loads = 0
        self.counts: Counter[str] = Counter()
        self.recoveries_s: list[float] = []

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self.server = embedded.start(self.data)
            opening.callback(lambda: self.server.stop("immediate"))
            migrate.migrate(self.server.dsn())
            looping = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
            looping.start()
            opening.callback(self._end_loop, looping)
            self.proxy = Proxy(self.server.dsn())
            self.on_loop(self.proxy.__aenter__())
            opening.callback(lambda: self.on_loop(self.proxy.__aexit__()))
            # A stack of its own: what is started later must end with the rig as well.
            self.command = Command(self._secret, opening.enter_context(ExitStack()))
            self.command.environment["LEDGER_DATABASE_URL"] = self.proxy.dsn
            self.serve()
            self.load()
            self._hire()
            opening.callback(self._dismiss)
            self._ending = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()
        assert self.serving is not None
        assert self.serving.process.poll() is not None, "a server was left behind"

    def on_loop(self, asked: Any) -> Any:
        """Have the proxy's loop do something."""
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result(30)

    def _end_loop(self, looping: threading.Thread) -> None:
        for _ in range(3):
            self.on_loop(asyncio.sleep(0))  # lines that were closed are let go one turn later
        self._loop.call_soon_threadsafe(self._loop.stop)
        looping.join()
        self._loop.close()

    def cut(self, when: Cut, marker: str) -> None:
        """Cut the server's connection at the next message that holds the marker."""
        self._loop.call_soon_threadsafe(self.proxy.cut, when, marker)

    def _hire(self) -> None:
        # The clients' owner is their key's name, so that dialects which take it from the key say what is expected.
        for nth, speaker in enumerate(CLIENTS):
            name = f"http-{nth}"
            made = self.command.answer(*_KEY, "--name", name, place=["--data", str(self._secret)])
            client = Client(name, SPEAKERS[speaker], self.journals, made["key"], lambda: self.url)
            self.clients.append(client)
            client.start()
        wait_for(lambda: self.acknowledged >= len(CLIENTS), "the first answers")

    @property
    def url(self) -> str | None:
        """Where the server answers, or is about to again."""
        return self.serving.url if self.serving is not None else None

    @property
    def acknowledged(self) -> int:
        """Requests over HTTP that were answered 2xx."""
        return sum(client.acknowledged for client in self.clients)

    @property
    def unanswered(self) -> int:
        """Requests over HTTP of which nobody knows the outcome, or which were told to come again."""
        return sum(client.unknown for client in self.clients)

    def owner(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection past the proxy, as the database's owner."""
        return psycopg.connect(self.server.dsn(), autocommit=True)

    def serve(self) -> None:
        """Start the server, its projector with it."""
        self.serving = self.command.serve()

    def load(self) -> None:
        """Start in-process clients in a process of their own."""
        self._loads += 1
        command = [
            sys.executable,
            "-m",
            "tests.load",
            self.server.dsn(),
            str(self.journals),
            f"in-{self._loads}",
        ]
        self._load = subprocess.Popen(command, cwd=CHECKOUT)

    def kill_load(self) -> None:
        """kill -9 of the in-process clients."""
        if self._load is not None:
            self._load.kill()
            self._load.wait()
            self._load = None

    def start_postgres(self) -> None:
        """Start PostgreSQL again on its folder."""
        self.server = embedded.start(self.data)

    def projector(self) -> int | None:
        """The process id of the server's projector."""
        assert self.serving is not None
        pid = self.serving.process.pid
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        found = [child for task in tasks for child in task.read_text().split()]
        return next((int(one) for one in found if b"project" in _command_line(int(one))), None)

    def work(self, answers: int) -> None:
        """Until the clients have got so many more answers."""
        enough = self.acknowledged + answers

        def answered() -> bool:
            assert self.serving is not None
            status = self.serving.process.poll()
            assert status is None, (
                f"the server has ended with {status}: {self.serving.errors.read_text()[-2000:]}"
            )
            return self.acknowledged >= enough

        wait_for(answered, f"{answers} answers")

    def round(self, strike: Callable[[Rig], None], answers: int) -> float:
        """Some work, the fault, and how long it took from its begin until clients were answered again."""
        self.work(1 + self.chance.randrange(answers))
        began_s = time.monotonic()
        strike(self)
        self.work(1)
        self.recoveries_s.append(time.monotonic() - began_s)
        return self.recoveries_s[-1]

    def settle(self) -> Verdict:
        """End the load, and join all journals with the log; the read models too are held against it."""
        self.work(len(CLIENTS))
        self._dismiss()
        log = asyncio.run(read_log(self.server.dsn()))
        verdict = check(log, self._lines())
        for client in self.clients:
            self.counts["replayed"] += client.replayed
            self.counts["tries without an answer"] += client.unknown
            self.counts["acknowledged over HTTP"] += client.acknowledged
            self.counts["false refusals"] += len(client.refused)
            assert client.broken is None, repr(client.broken)
            assert not client.refused, client.refused[:5]
        self._level(len(log))
        for projection in PROJECTIONS:
            found = compare(self.server.dsn(), projection.name)
            assert found.different == 0, found
        self.counts.update(verdict.counts)
        return verdict

    def _dismiss(self) -> None:
        for client in self.clients:
            client.ending.set()
        until_s = time.monotonic() + DISMISS_S
        for client in self.clients:
            client.join(max(0.0, until_s - time.monotonic()))
        self.kill_load()

    def _lines(self) -> Iterator[journal.Line]:
        for path in sorted(self.journals.glob("*.jsonl")):
            yield from journal.read(path)

    def _level(self, position: int) -> None:
        def is_level() -> bool:
            reached = asyncio.run(_reached(self.server.dsn())).values()
            return all(one.position >= position and not one.error for one in reached)

        wait_for(is_level, "read models at the end of the log")


async def _reached(dsn: str) -> dict[str, Reached]:
    async with await AsyncConnection.connect(conninfo(dsn, Role.APP), autocommit=True) as asking:
        return await positions(asking)


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
