"""Fixtures of the conformance suite: one population a session, asked in every dialect."""

from __future__ import annotations

import pytest

from tests.conformance.stage import Stage, staged
from tests.fix_server import LiveServer


@pytest.fixture(scope="session")
def stage(shared_server: LiveServer) -> Stage:
    """A project with jobs of every kind, which no test changes."""
    return staged(shared_server, "conformance")
