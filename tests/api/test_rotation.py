"""Rotation, revocation and the account of both: two keys live at once, no more, and nothing done to a key goes unwritten.

Seen red with: an act that is written in a transaction of its own, a rotation that revokes at once."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import psycopg
import pytest

from api import keys
from api.faults import Unauthenticated
from api.keys import By, Issued, Rotated
from ledger.errors import Invalid
from ledger.settings import KEY_CACHE_S
from tests.fix_auth import NOW, SECRET, Door, Owner

pytestmark = pytest.mark.anyio
ANN = By("operator:ann", "it is a year old")


def now(owner: Owner) -> datetime:
    row = owner.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


async def test_both_are_good_until_the_old_one_ends(door: Door) -> None:
    old = door.issue()
    new = keys.rotate(door.owner, SECRET, old.stored.key_id, overlap_hours=2, by=ANN)
    assert (new.stored.name, new.stored.project, new.stored.scopes) == (
        old.stored.name,
        old.stored.project,
        old.stored.scopes,
    )
    assert new.stored.replaces == old.stored.key_id
    at = now(door.owner)
    for issued in (old, new):
        assert (await door.enter(issued, at)).project == "p"
    later = at + timedelta(hours=2, minutes=1)
    assert (await door.enter(new, later)).project == "p"
    with pytest.raises(Unauthenticated) as refusal:
        await door.enter(old, later)
    assert refusal.value.lack == "expired"


async def test_a_rotation_never_prolongs_a_key(door: Door) -> None:
    old = door.issue(expires_in_days=0.01)
    keys.rotate(door.owner, SECRET, old.stored.key_id, overlap_hours=500)
    [kept] = [k for k in keys.listed(door.owner) if k.key_id == old.stored.key_id]
    assert kept.expires_at == old.stored.expires_at


async def test_not_more_than_two_at_once(door: Door) -> None:
    old = door.issue()

    def rotated(_: int) -> Issued | Rotated:
        with psycopg.connect(door.owner.info.dsn, autocommit=True) as connection:
            try:
                return keys.rotate(connection, SECRET, old.stored.key_id)
            except Rotated as error:
                return error

    with ThreadPoolExecutor(4) as pool:
        made = [one for one in pool.map(rotated, range(4)) if isinstance(one, Issued)]
    assert len(made) == 1
    keys.revoke(door.owner, made[0].stored.key_id)
    assert keys.rotate(door.owner, SECRET, old.stored.key_id).stored.replaces


async def test_what_has_ended_is_not_rotated(door: Door) -> None:
    old = door.issue()
    keys.revoke(door.owner, old.stored.key_id)
    with pytest.raises(Rotated, match="revoked"):
        keys.rotate(door.owner, SECRET, old.stored.key_id)
    with pytest.raises(keys.UnknownKey):
        keys.rotate(door.owner, SECRET, "0" * 16)
    with pytest.raises(Invalid):
        keys.rotate(door.owner, SECRET, door.issue().stored.key_id, overlap_hours=-1)


async def test_each_act_is_written_down_and_stays(door: Door) -> None:
    old = door.issue(by=By("operator:bob", "first day"))
    new = keys.rotate(door.owner, SECRET, old.stored.key_id, by=ANN)
    keys.revoke(door.owner, old.stored.key_id, By("operator:eve", "lost"))
    keys.revoke(door.owner, old.stored.key_id, By("operator:eve", "again"))
    told = [(a["act"], a["key_id"], a["actor"], a["reason"]) for a in keys.acts(door.owner)]
    assert told == [
        ("revoked", old.stored.key_id, "operator:eve", "lost"),
        ("rotated", new.stored.key_id, "operator:ann", "it is a year old"),
        ("created", old.stored.key_id, "operator:bob", "first day"),
    ]
    assert keys.acts(door.owner, project="q") == ()
    for change in (
        "UPDATE access.acts SET actor = 'x'",
        "DELETE FROM access.acts",
        "TRUNCATE access.acts",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            door.owner.execute(change.encode())


async def test_an_act_that_fails_is_not_told_of_either(door: Door) -> None:
    old = door.issue()
    with door.owner.transaction(force_rollback=True):
        keys.rotate(door.owner, SECRET, old.stored.key_id)
    assert [a["act"] for a in keys.acts(door.owner)] == ["created"]
    assert len(keys.listed(door.owner)) == 1


async def test_a_revoked_key_is_let_in_no_longer_than_five_seconds(door: Door) -> None:
    """Whatever is cached, in whichever process: each asks the database again before they are over."""
    assert KEY_CACHE_S < 5
    issued = door.issue()
    await door.enter(issued)
    keys.revoke(door.owner, issued.stored.key_id)
    door.clock.now_s += 4.999
    with pytest.raises(Unauthenticated):
        await door.enter(issued)
    await asyncio.sleep(0)
    with pytest.raises(Unauthenticated):
        await door.enter(issued, NOW)
