"""A process that the benchmark started: spoken to in lines, ended by its id.

Invariants: it stands in a session of its own, so that Ctrl-C reaches only the benchmark, which then ends it; what it says on stderr is kept for
the error message. Units: seconds. Errors: ChildFailed."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

END_S = 15.0  # a server may finish what it has begun
CHECKOUT = Path(__file__).parents[2]


class ChildFailed(Exception):
    """A process of the benchmark ended or fell silent; the message has its last words."""


class Child:
    """A running process, made by `started`."""

    def __init__(self, title: str, process: subprocess.Popen[bytes], words: IO[bytes]) -> None:
        self.title = title
        self._process = process
        self._words = words
        self._unread = b""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def say(self, line: str) -> None:
        """Send it one line."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self.failed("ended") from error

    def line(self, timeout_s: float) -> str:
        """Its next line. Raises ChildFailed when there is none in time."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise self.failed(f"said nothing for {timeout_s:g} s")
                part = os.read(self._process.stdout.fileno(), 65_536)
                if not part:
                    raise self.failed("ended")
                self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def finish(self, timeout_s: float) -> str:
        """All that it says until it ends by itself, well. Raises ChildFailed otherwise."""
        try:
            said, _ = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise self.failed(f"did not end within {timeout_s:g} s") from error
        if self._process.returncode != 0:
            raise self.failed(f"ended with status {self._process.returncode}")
        return said.decode()

    def failed(self, how: str) -> ChildFailed:
        """The error that says what became of it."""
        self._words.seek(0)
        words = self._words.read().decode(errors="replace").strip()
        return ChildFailed(f"{self.title} {how}: {words[-1500:] or 'it said nothing'}")

    def end(self) -> None:
        """End it, politely first."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


@contextmanager
def started(
    title: str, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Run a program in the checkout, and end it whatever happens."""
    with TemporaryFile() as words:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            cwd=CHECKOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        child = Child(title, process, words)
        try:
            yield child
        finally:
            child.end()
