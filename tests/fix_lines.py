"""The server's own log, as an operator has it, for tests of what is told there.

Invariants: one JSON object a line; the log is as it was before when the test ends, or what else set it for a stream of its own."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from api import log


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Whatever sets up the log meanwhile does so for itself alone."""
    root = logging.getLogger()
    quiet = [logging.getLogger(name) for name, _ in log.QUIET]
    handlers, levels = root.handlers[:], [one.level for one in (root, *quiet)]
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for one, level in zip((root, *quiet), levels, strict=True):
            one.setLevel(level)
        structlog.reset_defaults()


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The server's own log, as an operator has it."""
    stream = io.StringIO()
    with logging_as_before():
        log.configure("debug", stream=stream)
        for client in ("httpx2", "httpcore2"):  # they are the tests' clients, and not the server
            logging.getLogger(client).setLevel(logging.WARNING)
        yield stream


def refused(lines: io.StringIO) -> list[dict[str, Any]]:
    """The lines that tell of refused authentications and authorisations."""
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    return [one for one in told if one["event"] in ("credential refused", "refused")]
