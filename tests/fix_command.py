"""The command as its users run it, beside others: what goes on is a process of its own, what ends is run within the test's.

Invariants: a command within the test's process sees the arguments, the environment and the streams that a process of its own would, so that only the
start of an interpreter is saved; whatever a test started is ended with it, its database too. Units: deadlines in seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from typer.testing import CliRunner

from api.cli import main
from ledger import embedded, settings
from ledger.postmaster import Postmaster
from tests.fix_lines import logging_as_before

DEADLINE_S = 60.0
RUNNER = CliRunner()
COMMAND = (sys.executable, "-c", "from api.cli import main; main(prog_name='jobledger')")


@dataclass
class Serving:
    """A command that goes on. `url` is where `serve` answers, None until it said that it is ready."""

    process: subprocess.Popen[str]
    errors: Path
    url: str | None = None

    def client(self, key: str) -> httpx.Client:
        """A client with a key."""
        assert self.url is not None
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=DEADLINE_S)

    def create_job(self, key: str, project: str = "p", **fields: object) -> dict[str, Any]:
        """A new job, as the API shows it."""
        with self.client(key) as api:
            created = api.post(
                f"/v1/projects/{project}/jobs", json={"type": "VirtualServer", **fields}
            )
        assert created.status_code == 201, created.text
        job: dict[str, Any] = created.json()
        return job

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait: the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


class Command:
    """`jobledger` on one data folder. `environment` goes to every process."""

    def __init__(self, data: Path, running: ExitStack) -> None:
        self.data = data
        self.environment = {
            # The tests choose the server's programs; everything else is as an operator finds it.
            **{
                name: word
                for name, word in os.environ.items()
                if not name.startswith("LEDGER_") or name == "LEDGER_POSTGRES_BIN"
            },
            # Behind what is there: a sown bug is loaded by every process that a test starts.
            "PYTHONPATH": os.pathsep.join(
                filter(None, (os.environ.get("PYTHONPATH"), str(Path(__file__).parents[1])))
            ),
        }
        self._running = running

    def __call__(
        self, *words: str, place: Sequence[str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. What would be a traceback is raised."""
        where = ["--data", str(self.data)] if place is None else place
        strange = dict.fromkeys(name for name in os.environ if name.startswith("LEDGER_"))
        environment: dict[str, str | None] = {**strange, **self.environment}
        settings.settings.cache_clear()
        try:
            with logging_as_before():
                done = RUNNER.invoke(main, [*words, *where], prog_name="jobledger", env=environment)
        finally:
            settings.settings.cache_clear()
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess([*words], done.exit_code, done.stdout, done.stderr)

    def answer(self, *words: str, place: Sequence[str] | None = None) -> Any:
        """What a command answers to a program. It must succeed."""
        done = self(*words, "--json", place=place)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, *words: str, place: Sequence[str] | None = None) -> Serving:
        """Start a command that goes on; it is killed with the test if it is still there."""
        where = ["--data", str(self.data)] if place is None else place
        errors = self.data.parent / f"errors-{len(list(self.data.parent.iterdir()))}"
        with errors.open("w") as file:
            process = subprocess.Popen(
                [*COMMAND, *words, *where],
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env=self.environment,
            )
        self._running.callback(_kill, process)
        return Serving(process, errors)

    def serve(self, *words: str, place: Sequence[str] | None = None) -> Serving:
        """Start `serve` on a free port and wait until it is ready."""
        serving = self.start("serve", "--port", "0", *words, place=place)
        assert serving.process.stdout is not None
        line = serving.process.stdout.readline()
        assert line.startswith("ready http://"), serving.errors.read_text()
        serving.url = line.split()[1]
        return serving

    def postgres(self) -> Postmaster | None:
        """The embedded database of the folder while it runs."""
        found = Postmaster.read(self.data / "postgres")
        return found if found is not None and found.is_alive() else None


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def commanding(data: Path) -> Iterator[Command]:
    """The command on a folder; at the end nothing of it runs."""
    with ExitStack() as running:
        running.callback(_stop_database, data)
        yield Command(data, running)


def _stop_database(data: Path) -> None:
    if (left := embedded.running(data)) is not None:
        left.stop("immediate")


@pytest.fixture
def command(cluster_folder: Path) -> Iterator[Command]:
    """The command on a folder with an empty database, so that not every test waits for initdb."""
    with commanding(cluster_folder) as command:
        yield command
