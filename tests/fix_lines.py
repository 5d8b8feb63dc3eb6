"""The server's own log, as an operator has it, for tests of what is told there.

Invariants: one JSON object a line; the log is as it was before when the test ends."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from api import log


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The server's own log, as an operator has it."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    stream = io.StringIO()
    log.configure("debug", stream=stream)
    for client in ("httpx2", "httpcore2"):  # they are the tests' clients, and not the server
        logging.getLogger(client).setLevel(logging.WARNING)
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()


def refused(lines: io.StringIO) -> list[dict[str, Any]]:
    """The lines that tell of refused authentications and authorisations."""
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    return [one for one in told if one["event"] in ("credential refused", "refused")]
