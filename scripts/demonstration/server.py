"""The ledger that the demo runs: a real `jobledger serve` on a folder of its own, and the keys made for it.

Invariants: nothing of the caller's LEDGER_* settings reaches it, so that the demo never writes into somebody's ledger; the process stands in a
session of its own, since Ctrl-C is for the demo, which then stops it by SIGTERM. Units: seconds. Errors: Unexpected."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger import embedded
from scripts.demonstration.unexpected import Unexpected, check

CHECKOUT: Final = Path(__file__).parents[2]
READY_S: Final = 90.0  # a new database is made first
STOP_S: Final = 60.0  # requests are finished, then PostgreSQL writes its checkpoint
COMMAND_S: Final = 60.0
JOBLEDGER: Final = (sys.executable, "-m", "api.cli")


@dataclass(frozen=True, slots=True)
class Key:
    """A key as `jobledger keys create --json` prints it. `secret` is there for signing keys only."""

    key: str
    secret: str


class Server:
    """A running ledger. `log` is where it writes on stderr."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.log = folder / "serve.log"
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*JOBLEDGER, "serve", "--data", str(folder), "--port", str(port)],
                cwd=CHECKOUT,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, name="listen to the server", daemon=True).start()

    def wait_ready(self) -> str:
        """The address at which it answers."""
        try:
            line = self._said.get(timeout=READY_S)
        except queue.Empty:
            raise self.failed(f"said nothing within {READY_S:g} s") from None
        word, _, url = line.strip().partition(" ")
        if word != "ready":
            raise self.failed(f"said {line!r} instead of `ready URL`" if line else "ended")
        return url

    def make_key(self, project: str, *scopes: str, name: str, signing: bool = False) -> Key:
        """Make a key while the server runs, by the command that an operator would use."""
        words = [word for scope in scopes for word in ("--scope", scope)]
        words += ["--name", name, *(["--signing"] if signing else [])]
        made = self._command("keys", "create", "--project", project, *words)
        return Key(made["key"], made["secret"] or "")

    def stop(self) -> None:
        """SIGTERM; the server, its database and its pipe are gone when this returns."""
        self._process.terminate()
        try:
            status = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise self.failed(f"did not stop within {STOP_S:g} s") from None
        finally:
            left = embedded.running(self.folder)
            if left is not None:
                left.stop()
        if status != 0:
            raise self.failed(f"ended with status {status}")
        check(left is None, "The server stopped and left its database running.")

    def failed(self, how: str) -> Unexpected:
        """The error that says what became of it, with its last words."""
        words = self.log.read_text(encoding="utf-8", errors="replace").strip()
        return Unexpected(f"`jobledger serve` {how}: {words[-1500:] or 'its log is empty'}")

    def has_ended(self) -> bool:
        """Whether it ended, though nobody asked it to."""
        return self._process.poll() is not None

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                self._said.put(line)
        self._said.put("")

    def _command(self, *words: str) -> Any:
        try:
            finished = subprocess.run(
                [*JOBLEDGER, *words, "--data", str(self.folder), "--json"],
                cwd=CHECKOUT,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_S,
                check=True,
            )
            return json.loads(finished.stdout)
        except subprocess.CalledProcessError as error:
            found = f"ended with status {error.returncode}: {str(error.stderr).strip()}"
        except (subprocess.TimeoutExpired, ValueError) as error:
            found = f"failed: {error}"
        raise Unexpected(f"`jobledger {' '.join(words)}` {found}")


@contextmanager
def fresh_folder(*, keep: bool) -> Iterator[Path]:
    """A new folder in .demo, so that runs do not meet; removed afterwards unless it is to be kept."""
    folder = _new_folder(CHECKOUT / ".demo")
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


def _new_folder(above: Path) -> Path:
    """The first number that no other run has: a short path, since a socket will lie in it."""
    above.mkdir(exist_ok=True)
    number = 1
    while True:
        folder = above / str(number)
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def _environment() -> dict[str, str]:
    kept = {name: word for name, word in os.environ.items() if not name.startswith("LEDGER_")}
    if programs := os.environ.get("LEDGER_POSTGRES_BIN"):
        kept["LEDGER_POSTGRES_BIN"] = programs
    return kept
