"""Refused commands that are still to be kept when the server ends."""

from __future__ import annotations

import asyncio

import pytest

from api.refused import Refusals
from ledger import settings
from tests.proxy import Cut, Proxy
from tests.writes import DEADLINE_S


@pytest.mark.anyio
async def test_the_end_waits_for_no_server_that_says_nothing(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one whose machine is frozen, so that even to withdraw is no help. Seen red with the end waiting for as long."""
    monkeypatch.setattr(settings, "LOCK_TIMEOUT_S", 0.1)
    monkeypatch.setattr(settings, "REFUSALS_PAUSE_S", 3600.0)
    kept = Refusals(proxy.dsn)
    await kept.__aenter__()
    kept._waiting.append(["p"])
    proxy.cut(Cut.UNHEARD, "ledger.refused")
    await asyncio.wait_for(kept.__aexit__(), DEADLINE_S)
    assert proxy.cuts == 1
