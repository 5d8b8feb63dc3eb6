"""Authentication by key: who is let in, for how long, and how little a refusal tells."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import structlog

from api import keys
from api.auth import REFUSED
from api.dialects.dialect import ApiKey, Md5Signature
from api.faults import Unauthenticated
from api.operation import Principal, Scope
from ledger.errors import Busy
from ledger.settings import KEY_AHEAD_S, KEY_CACHE_S, KEYS_CACHED_MAX
from tests.fix_auth import NOW, READ_WRITE, Door, Owner, key_with, opened

pytestmark = pytest.mark.anyio


async def test_a_key_opens(door: Door) -> None:
    issued = door.issue()
    expected = Principal(issued.stored.key_id, "Anna", "p", frozenset(READ_WRITE))
    assert await door.enter(issued) == expected


async def test_a_key_is_read_once_in_a_while(door: Door) -> None:
    issued = door.issue()
    before = door.questions()
    for _ in range(20):
        await door.enter(issued)
    assert door.questions() == before + 1
    door.clock.now_s += KEY_CACHE_S
    await door.enter(issued)
    assert door.questions() == before + 2


async def test_a_busy_key_is_read_ahead_and_nobody_waits(door: Door) -> None:
    issued = door.issue()
    await door.enter(issued)
    before = door.questions()
    door.clock.now_s += KEY_AHEAD_S
    asked = [asyncio.create_task(door.enter(issued)) for _ in range(20)]
    await asyncio.sleep(0)
    assert all(task.done() for task in asked)
    async with asyncio.timeout(30):
        while door.authenticator._reading:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
    assert door.questions() == before + 1
    door.clock.now_s += KEY_CACHE_S - KEY_AHEAD_S
    await door.enter(issued)
    assert door.questions() == before + 1


async def test_what_was_read_ahead_bites(door: Door) -> None:
    issued = door.issue()
    await door.enter(issued)
    keys.revoke(door.owner, issued.stored.key_id)
    door.clock.now_s += KEY_AHEAD_S
    await door.enter(issued)
    door.clock.now_s += KEY_CACHE_S - KEY_AHEAD_S
    with pytest.raises(Unauthenticated, match=REFUSED):
        await door.enter(issued)


async def test_those_who_come_together_ask_once(door: Door) -> None:
    issued = door.issue()
    before = door.questions()
    principals = await asyncio.gather(*(door.enter(issued) for _ in range(50)))
    assert len(set(principals)) == 1
    assert door.questions() == before + 1


async def test_one_who_gives_up_does_not_take_the_others_along(door: Door) -> None:
    issued = door.issue()
    first = asyncio.create_task(door.enter(issued))
    second = asyncio.create_task(door.enter(issued))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).name == "Anna"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_revocation_bites(door: Door) -> None:
    issued, other = door.issue(signature="md5"), door.issue()
    await door.enter(issued)
    await door.sign(issued, NOW)
    await door.enter(other)
    keys.revoke(door.owner, issued.stored.key_id)
    assert KEY_CACHE_S <= 5
    door.clock.now_s += KEY_CACHE_S
    with pytest.raises(Unauthenticated, match=REFUSED):
        await door.enter(issued)
    with pytest.raises(Unauthenticated, match=REFUSED):
        await door.sign(issued, NOW)
    await door.enter(other)


async def test_expiry_does_not_wait_for_the_cache(door: Door) -> None:
    issued = door.issue(expires_in_days=1)
    end = issued.stored.expires_at
    assert end is not None
    await door.enter(issued, end - timedelta(microseconds=1))
    with pytest.raises(Unauthenticated, match=REFUSED):
        await door.enter(issued, end)


async def test_all_refusals_say_the_same(door: Door) -> None:
    good, revoked, expired = door.issue(), door.issue(), door.issue(expires_in_days=1)
    keys.revoke(door.owner, revoked.stored.key_id)
    deleted = door.issue()
    door.owner.execute("DELETE FROM access.keys WHERE key_id = %s", (deleted.stored.key_id,))
    forged = key_with(good.stored.key_id, "0" * 43)
    far = NOW + timedelta(days=20_000)
    said = set()
    for key in (revoked.key, expired.key, deleted.key, forged):
        with pytest.raises(Unauthenticated) as told:
            await door.authenticator.resolve(ApiKey(key), far)
        said.add((str(told.value), told.value.hint, told.value.code))
    for signature in (
        Md5Signature(good.stored.key_id, "0" * 32),
        Md5Signature("f" * 16, "0" * 32),
        Md5Signature("' OR true --", "0" * 32),
        Md5Signature(good.stored.key_id, "ABC"),
    ):
        with pytest.raises(Unauthenticated) as told:
            await door.authenticator.resolve(signature, far)
        said.add((str(told.value), told.value.hint, told.value.code))
    assert len(said) == 1


async def test_a_right_checksum_is_not_a_right_key(door: Door) -> None:
    issued = door.issue()
    random = issued.key.split("_")[2]
    await door.enter(issued)
    changed = ("0" if random[0] != "0" else "1") + random[1:]
    with pytest.raises(Unauthenticated, match=REFUSED):
        await door.authenticator.resolve(ApiKey(key_with(issued.stored.key_id, changed)), NOW)


async def test_typos_and_inventions_ask_nothing(door: Door) -> None:
    issued = door.issue()
    before = door.questions()
    other = "x" if issued.key[30] != "x" else "y"
    for key in (issued.key[:-1], issued.key[:30] + other + issued.key[31:], "x", ""):
        with pytest.raises(Unauthenticated):
            await door.authenticator.resolve(ApiKey(key), NOW)
    with pytest.raises(Unauthenticated):
        await door.authenticator.resolve(Md5Signature("x" * 10_000, "0" * 32), NOW)
    assert door.questions() == before


async def test_nobody_is_remembered_too(door: Door) -> None:
    invented = ApiKey(key_with("f" * 16, "0" * 43))
    before = door.questions()
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            await door.authenticator.resolve(invented, NOW)
    assert door.questions() == before + 1


async def test_memory_is_bounded(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEYS_CACHED_MAX > 5
    monkeypatch.setattr("ledger.settings.KEYS_CACHED_MAX", 5)
    issued = door.issue(signature="md5")
    for number in range(12):
        with pytest.raises(Unauthenticated):
            await door.authenticator.resolve(ApiKey(key_with(f"{number:016x}", "0" * 43)), NOW)
        with pytest.raises(Unauthenticated):
            await door.authenticator.resolve(
                Md5Signature(issued.stored.key_id, f"{number:032x}"), NOW
            )
    assert len(door.authenticator._keys) == len(door.authenticator._signatures) == 5


async def test_a_scope_of_a_later_version_grants_nothing(door: Door) -> None:
    issued = door.issue()
    door.owner.execute("UPDATE access.keys SET scopes = '{jobs:read,jobs:everything,public}'")
    assert (await door.enter(issued)).scopes <= {Scope.JOBS_READ, Scope.PUBLIC}


async def test_refusals_are_logged_without_the_key(door: Door) -> None:
    issued = door.issue(signature="md5")
    keys.revoke(door.owner, issued.stored.key_id)
    with structlog.testing.capture_logs() as lines:
        with pytest.raises(Unauthenticated):
            await door.enter(issued)
        with pytest.raises(Unauthenticated):
            await door.sign(issued, NOW)
        with pytest.raises(Unauthenticated):
            await door.authenticator.resolve(ApiKey(issued.key[:-1]), NOW)
        with pytest.raises(Unauthenticated):
            await door.authenticator.resolve(Md5Signature("forged\n{}", "x"), NOW)
    assert [line["reason"] for line in lines] == [
        "revoked",
        "revoked",
        "mistyped or made up",
        "not of our form",
    ]
    assert [line.get("key_id") for line in lines] == [issued.stored.key_id] * 2 + [None] * 2
    assert issued.key.split("_")[2] not in repr(lines)
    assert "forged" not in repr(lines)


async def test_a_database_that_is_away_is_busy(database: str, key_owner: Owner) -> None:
    async with opened(database, key_owner) as door:
        issued = door.issue()
        await door.pool.close()
        with pytest.raises(Busy):
            await door.enter(issued)
