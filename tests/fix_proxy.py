"""Each way in which a line to PostgreSQL is cut, for tests that try all of them."""

from __future__ import annotations

import pytest

from ledger import settings
from tests.proxy import SILENT, Cut


@pytest.fixture(params=Cut, ids=str)
def cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Cut:
    """Whoever hears nothing is not to wait as long as in earnest."""
    how: Cut = request.param
    if how in SILENT:
        monkeypatch.setattr(settings, "SILENCE_S", 0.2)
        monkeypatch.setattr(settings, "FOLLOW_POLL_S", 0.05)
    return how
