"""Fixtures of every test: asynchronous tests run on asyncio, databases and servers come from tests/fix_*.py.

Laws are tried on the same examples every time, so that a change is judged by what it changed; `HYPOTHESIS_PROFILE=explore` tries new ones.
No law has a deadline: machines have spells."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# Whoever runs the tests behind his shell, or by nohup, leaves these to be ignored, also by the commands under test.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

_SLOW = [HealthCheck.too_slow]
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("explore", deadline=None, suppress_health_check=_SLOW, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

pytest_plugins = [
    "tests.fix_auth",
    "tests.fix_lines",
    "tests.fix_command",  # stands on the one before
    "tests.fix_embedded",
    "tests.fix_postgres",
    "tests.fix_proof",
    "tests.fix_proxy",
    "tests.fix_questions",
    "tests.fix_runner",
    "tests.fix_server",
    "tests.fix_conformance",  # after what it stands on
    "tests.fix_cuts",
    "tests.fix_transfer",
    "tests.fix_tenants",
    "tests.fix_erasure",  # stands on the one before
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run tests marked `anyio` on asyncio, as the server does."""
    return "asyncio"
