"""Fixtures of every test: asynchronous tests run on asyncio, databases and servers come from tests/fix_*.py."""

from __future__ import annotations

import pytest

pytest_plugins = [
    "tests.fix_auth",
    "tests.fix_command",
    "tests.fix_embedded",
    "tests.fix_postgres",
    "tests.fix_proof",
    "tests.fix_questions",
    "tests.fix_server",
    "tests.fix_conformance",  # after what it stands on
    "tests.fix_transfer",
    "tests.fix_erasure",  # stands on the one before
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run tests marked `anyio` on asyncio, as the server does."""
    return "asyncio"
