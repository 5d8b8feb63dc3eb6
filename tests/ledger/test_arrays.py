"""Arrays of UUIDs that are made many at once."""

from __future__ import annotations

from uuid import UUID

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
