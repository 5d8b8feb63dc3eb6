"""A server beside: what the drivers of peers do with the server that they start.

Invariants: it is ended with its driver, also where that is told to end; what it prints goes to the driver's stderr. Nothing but Python's own library
is imported here. Units: seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

END_S = 10.0


@contextmanager
def beside(
    program: str, arguments: Sequence[str], told: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program of this environment with its arguments and these variables more, until the end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    server = subprocess.Popen(
        [str(Path(sys.executable).with_name(program)), *arguments],
        env={**os.environ, **(told or {})},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,
    )
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(END_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
