"""Authentication by GoGrid's signature: only keys issued for it, only to read, and only for a while."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from api.auth import READING, REFUSED
from api.dialects.dialect import Md5Signature
from api.faults import Unauthenticated
from api.operation import Scope
from ledger.settings import SIGNATURE_WINDOW_S
from tests.fix_auth import NOW, Door, md5

pytestmark = pytest.mark.anyio


async def test_a_signature_may_only_read(door: Door) -> None:
    writer = door.issue(signature="md5", scopes=tuple(Scope)[1:])
    principal = await door.sign(writer, NOW)
    assert principal.scopes == READING
    assert not any(principal.may(scope) for scope in set(Scope) - READING - {Scope.PUBLIC})
    admin = door.issue(signature="md5", scopes=(Scope.ADMIN,))
    assert (await door.sign(admin, NOW)).scopes == READING
    assert (await door.enter(admin)).scopes == {Scope.ADMIN}
    only_writes = door.issue(signature="md5", scopes=(Scope.JOBS_WRITE,))
    assert (await door.sign(only_writes, NOW)).scopes == frozenset()


@pytest.mark.parametrize("offset_s", [0, 1, -1, 60, SIGNATURE_WINDOW_S, -SIGNATURE_WINDOW_S])
async def test_a_signature_of_the_window_fits(door: Door, offset_s: int) -> None:
    issued = door.issue(signature="md5")
    assert (
        await door.sign(issued, NOW + timedelta(seconds=offset_s))
    ).key_id == issued.stored.key_id


@pytest.mark.parametrize("offset_s", [SIGNATURE_WINDOW_S + 1, -SIGNATURE_WINDOW_S - 1, 86_400])
async def test_a_signature_beyond_the_window_does_not(door: Door, offset_s: int) -> None:
    issued = door.issue(signature="md5")
    with pytest.raises(Unauthenticated, match=REFUSED):
        await door.sign(issued, NOW + timedelta(seconds=offset_s))


async def test_a_signature_ages_out(door: Door) -> None:
    issued = door.issue(signature="md5")
    await door.sign(issued, NOW)
    door.clock.now_s += SIGNATURE_WINDOW_S + 1
    with pytest.raises(Unauthenticated, match=REFUSED):
        await door.sign(issued, NOW, now=NOW + timedelta(seconds=SIGNATURE_WINDOW_S + 1))


async def test_only_signing_keys_sign(door: Door) -> None:
    plain, signing = door.issue(), door.issue(signature="md5")
    assert plain.shared_secret is None
    for sig in (
        md5(signing, NOW),
        hashlib.md5(plain.stored.key_id.encode(), usedforsecurity=False).hexdigest(),
    ):
        with pytest.raises(Unauthenticated, match=REFUSED):
            await door.authenticator.resolve(Md5Signature(plain.stored.key_id, sig), NOW)


async def test_a_sealed_secret_moved_to_another_key_signs_nothing(door: Door) -> None:
    mine, theirs = door.issue(signature="md5"), door.issue(signature="md5", project="q")
    door.owner.execute(
        "UPDATE access.keys SET sealed_secret = %s WHERE key_id = %s",
        (mine.stored.sealed_secret, theirs.stored.key_id),
    )
    assert mine.shared_secret is not None
    text = f"{theirs.stored.key_id}{mine.shared_secret}{int(NOW.timestamp())}"
    sig = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    with pytest.raises(Unauthenticated, match=REFUSED):
        await door.authenticator.resolve(Md5Signature(theirs.stored.key_id, sig), NOW)
