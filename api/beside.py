"""Processes beside this one: `jobledger` commands that a server runs as long as it runs itself.

Invariants: one runs as long as the block does; should it end by itself, another is started, a little later each time. It ends with its parent
even when that is killed, which the end of its stdin tells. Units: seconds. Errors: none; the log says what befell it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from ledger.settings import (
    BESIDE_WATCH_S,
    RESTART_S_MAX,
    RESTART_S_MIN,
    SHUTDOWN_S,
)

log = structlog.get_logger("api.beside")

# -P: a folder named api where the operator happens to stand is not ours.
_COMMAND = (sys.executable, "-P", "-m", "api.cli")


@dataclass(frozen=True, slots=True)
class Beside:
    """What to run. `words` follow `jobledger`, `told` is its environment beside ours, `sockets` are handed on by their numbers."""

    title: str
    words: Sequence[str]
    told: Mapping[str, str]
    sockets: tuple[int, ...] = ()

    def start(self) -> subprocess.Popen[bytes]:
        """Run it once."""
        return subprocess.Popen(
            [*_COMMAND, *self.words, "--leashed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **self.told},
            pass_fds=self.sockets,
            # Ctrl-C is for its parent, which then ends it.
            start_new_session=True,
        )


@contextmanager
def running(one: Beside) -> Iterator[None]:
    """Keep it running meanwhile."""
    enough = threading.Event()
    watching = threading.Thread(
        target=_watch, args=(one, enough), name=f"watch {one.title}", daemon=True
    )
    watching.start()
    try:
        yield
    finally:
        enough.set()
        watching.join()


def leashed(then: Callable[[], None]) -> None:
    """Call `then` once stdin ends, as it does when the process that holds its other end is gone. Returns at once."""

    def hear() -> None:
        while os.read(0, 4096):
            pass
        then()

    threading.Thread(target=hear, name="leash", daemon=True).start()


def _watch(one: Beside, enough: threading.Event) -> None:
    pause_s = RESTART_S_MIN
    while not enough.is_set():
        began_s = time.monotonic()
        process = one.start()
        while process.poll() is None and not enough.wait(BESIDE_WATCH_S):
            pass
        if enough.is_set():
            _end(process)
            return
        if time.monotonic() - began_s > RESTART_S_MAX:
            pause_s = RESTART_S_MIN  # it had worked, so it may work again
        log.error("it had ended and is started again", what=one.title, status=process.returncode)
        enough.wait(pause_s)
        pause_s = min(pause_s * 2, RESTART_S_MAX)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(SHUTDOWN_S + BESIDE_WATCH_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
