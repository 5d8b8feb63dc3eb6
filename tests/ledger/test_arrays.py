"""Arrays of UUIDs that are made many at once."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from ledger import arrays


def uuids(cells: bytes) -> list[UUID]:
    """The UUIDs of these cells, each behind its length."""
    each = [cells[at : at + 20] for at in range(0, len(cells), 20)]
    assert {cell[:4] for cell in each} <= {b"\0\0\0\x10"}
    return [UUID(bytes=cell[4:]) for cell in each]


def test_random_uuids_have_nothing_in_common() -> None:
    found = uuids(arrays.uuids(1_000))
    assert len(set(found)) == 1_000
    differing = 0
    for one in found:
        differing |= one.int ^ found[0].int
    assert differing == 2**128 - 1
    assert not uuids(arrays.uuids(0))


def test_uuids_of_version_7_tell_their_moment() -> None:
    moment_ms = 0x0123_4567_89AB
    found = uuids(arrays.uuids_7(1_000, moment_ms))
    assert len(set(found)) == 1_000
    assert {(one.version, one.variant, one.int >> 80) for one in found} == {
        (7, RFC_4122, moment_ms)
    }
    differing = 0
    for one in found:
        differing |= one.int ^ found[0].int
    assert differing == 2**76 - 2**64 + 2**62 - 1  # all the rest is random
