"""Tiles: their paths as C2SP writes them, and the tree that can be had from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle, tile
from ledger.tile import Tile

PATHS = (
    (Tile(0, 0), "0/000"),
    (Tile(0, 1_234_067), "0/x001/x234/067"),
    (Tile(0, 273, 112), "0/273.p/112"),
    (Tile(2, 0, 1), "2/000.p/1"),
    (Tile(None, 1_000), "entries/x001/000"),
    (Tile(63, 5, 255), "63/005.p/255"),
)


@pytest.mark.parametrize(("one", "path"), PATHS)
def test_the_paths_of_the_specification(one: Tile, path: str) -> None:
    assert one.path == path
    assert Tile.parse(path) == one


@given(
    st.none() | st.integers(0, tile.LEVEL_MAX),
    st.integers(0, tile.INDEX_MAX),
    st.integers(1, tile.WIDTH),
)
def test_a_path_is_its_tile(level: int | None, index: int, width: int) -> None:
    one = Tile(level, index, width)
    assert Tile.parse(one.path) == one


@pytest.mark.parametrize(
    "path",
    [
        *("", "0", "0/0", "0/0000", "00/000", "64/000", "0/x000/001", "0/001/001", "x/000"),
        *("0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000/", "/0/000", "0/000\n", "0/٣٣٣"),
        "0/" + "x999/" * 6 + "999",
    ],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no path of a tile"):
        Tile.parse(path)


def test_which_tiles_a_tree_of_70_000_has() -> None:
    """The example of the specification."""
    assert Tile(0, 272).fits(70_000)
    assert Tile(0, 273, 112).fits(70_000)
    assert not Tile(0, 273, 113).fits(70_000)
    assert Tile(1, 0).fits(70_000)
    assert Tile(1, 1, 17).fits(70_000)
    assert not Tile(1, 1, 18).fits(70_000)
    assert Tile(2, 0, 1).fits(70_000)
    assert not Tile(3, 0, 1).fits(70_000)
    assert Tile(None, 273, 112).fits(70_000)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 513, 65_536, 65_537, 66_049])
def test_the_tree_of_the_tiles_is_the_tree_of_the_leaves(size: int) -> None:
    growing, levels = merkle.Growing(), [bytearray()]
    for number in range(size):
        found = merkle.leaf_hash(number.to_bytes(4, "big"))
        growing.add(found)
        levels[0] += found
    while len(levels[-1]) >= tile.WIDTH * 32:
        full = range(0, len(levels[-1]) // (tile.WIDTH * 32) * tile.WIDTH * 32, tile.WIDTH * 32)
        below = levels[-1]
        levels.append(
            bytearray(
                b"".join(merkle.folded(bytes(below[at : at + tile.WIDTH * 32])) for at in full)
            )
        )

    def hashes(level: int, index: int) -> bytes:
        return bytes(levels[level][index * tile.WIDTH * 32 : (index + 1) * tile.WIDTH * 32])

    node = tile.nodes(hashes)
    assert merkle.root(size, node) == growing.root
    for index in {0, size // 2, size - 1}:
        proof = merkle.inclusion(index, size, node)
        leaf = merkle.leaf_hash(index.to_bytes(4, "big"))
        assert merkle.verify_inclusion(leaf, index, size, proof, growing.root)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_is_its_entries(entries: list[bytes]) -> None:
    bundle = tile.bundled(entries)
    assert list(tile.unbundled(bundle)) == entries
    if bundle:
        with pytest.raises(ValueError, match="within an entry"):
            list(tile.unbundled(bundle + b"\x00"))


@given(st.integers(0, 2_000), st.integers(0, 2_000))
def test_runs_cover_all_and_stay_within_a_tile(first: int, count: int) -> None:
    covered: list[int] = []
    for start, end in tile.runs(first, count):
        assert start // tile.WIDTH == (end - 1) // tile.WIDTH
        covered += range(start, end)
    assert covered == list(range(first, first + count))
