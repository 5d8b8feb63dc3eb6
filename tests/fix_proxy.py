"""A proxy before the test's database, and each way in which it cuts a line, for tests that try all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ledger import settings
from tests.proxy import SILENT, Cut, Proxy


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    """One before the test's own database."""
    async with Proxy(database) as opened:
        yield opened


@pytest.fixture(params=Cut, ids=str)
def cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Cut:
    """Whoever hears nothing is not to wait as long as in earnest."""
    how: Cut = request.param
    if how in SILENT:
        monkeypatch.setattr(settings, "SILENCE_S", 0.2)
        monkeypatch.setattr(settings, "FOLLOW_POLL_S", 0.05)
    return how
