"""The projector: the process beside the server that keeps the read models, so that folding takes nothing from the threads that answer.

Invariants: one runs as long as the block does; should it end by itself, another is started, a little later each time. It ends with its parent
even when that is killed, which the end of its stdin tells. Units: seconds. Errors: none; the log says what befell it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from ledger.settings import (
    PROJECTOR_WATCH_S,
    RESTART_S_MAX,
    RESTART_S_MIN,
    SHUTDOWN_S,
)

log = structlog.get_logger("api.projector")

# -P: a folder named api where the operator happens to stand is not ours.
COMMAND = (sys.executable, "-P", "-m", "api.cli", "project", "--leashed")


@contextmanager
def projecting(dsn: str, notary_dir: Path | None) -> Iterator[None]:
    """Keep the read models of this database at the end of its log, and the log sealed, meanwhile."""
    enough = threading.Event()
    watching = threading.Thread(
        target=_watch, args=(dsn, notary_dir, enough), name="watch the projector", daemon=True
    )
    watching.start()
    try:
        yield
    finally:
        enough.set()
        watching.join()


def _watch(dsn: str, notary_dir: Path | None, enough: threading.Event) -> None:
    told = {"LEDGER_DATABASE_URL": dsn}
    if notary_dir is not None:
        told["LEDGER_NOTARY_DIR"] = str(notary_dir.resolve())
    pause_s = RESTART_S_MIN
    while not enough.is_set():
        began_s = time.monotonic()
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **told},
            # Ctrl-C is for its parent, which then ends it.
            start_new_session=True,
        )
        while process.poll() is None and not enough.wait(PROJECTOR_WATCH_S):
            pass
        if enough.is_set():
            _end(process)
            return
        if time.monotonic() - began_s > RESTART_S_MAX:
            pause_s = RESTART_S_MIN  # it had worked, so it may work again
        log.error("the projector had ended and is started again", status=process.returncode)
        enough.wait(pause_s)
        pause_s = min(pause_s * 2, RESTART_S_MAX)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(SHUTDOWN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
