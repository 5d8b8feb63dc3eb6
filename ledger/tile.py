"""Tiles: the tree in pieces that never change once they are full, at the paths of C2SP's tlog-tiles.

Invariants: a tile has 1 to 256 hashes; level 0 holds those of leaves, each further level the roots of full tiles below; a bundle holds
the entries of the tile of level 0 with its index. `parse(path(x)) == x`. Units: `first` counts hashes of the level. Errors: ValueError."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger import merkle
from ledger.merkle import HASH_BYTES

HEIGHT = 8  # levels of the tree in one tile
WIDTH = 1 << HEIGHT
LEVEL_MAX = 63
INDEX_MAX = 2**55  # a position has 63 bits
_PATH = re.compile(
    r"(?:(?P<level>0|[1-9][0-9]?)|entries)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile, or the bundle of entries beside one: then `level` is None."""

    level: int | None
    index: int
    width: int = WIDTH

    @classmethod
    def parse(cls, path: str) -> Tile:
        """The tile at a path behind `tile/`. Raises ValueError."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise ValueError(f"{path[:100]!r} is no path of a tile")
        level = None if match["level"] is None else int(match["level"])
        tile = cls(level, int(re.sub("[x/]", "", match["index"])), int(match["width"] or WIDTH))
        # One path a tile: neither leading zero elements nor a full tile said to be a part.
        if tile.path != path or (level or 0) > LEVEL_MAX or tile.index > INDEX_MAX:
            raise ValueError(f"{path[:100]!r} is no path of a tile")
        return tile

    @property
    def path(self) -> str:
        """Where it is served, behind `tile/`."""
        level = "entries" if self.level is None else self.level
        width = "" if self.width == WIDTH else f".p/{self.width}"
        return f"{level}/{_elements(self.index)}{width}"

    @property
    def first(self) -> int:
        """The index of its first hash, or entry, within the level."""
        return self.index * WIDTH

    def fits(self, size: int) -> bool:
        """Whether a tree of that size has all of it."""
        return self.first + self.width <= size >> (HEIGHT * (self.level or 0))


# The hashes of a tile, as many of them as there are.
Hashes = Callable[[int, int], bytes]


def nodes(hashes: Hashes) -> merkle.Node:
    """The nodes of a tree that stands in tiles: `hashes(level, index)` answers a tile."""

    def node(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, HEIGHT)
        tile, place = divmod(index << height, WIDTH)
        start, count = place * HASH_BYTES, HASH_BYTES << height
        found = hashes(tile_level, tile)[start : start + count]
        if len(found) != count:
            raise ValueError(f"tile {tile} of level {tile_level} lacks hashes")
        return merkle.folded(found)

    return node


class Edge:
    """The right edge of a growing tree: its last tile of each level, none of them full, since a full one is a hash of the next level."""

    def __init__(self, size: int = 0, tiles: Iterable[bytes] = ()) -> None:
        self.size = size
        self._tiles = [bytearray(hashes) for hashes in tiles] or [bytearray()]

    @classmethod
    def of(cls, size: int, hashes: Hashes) -> Edge:
        """The edge of the tree of that size that stands in tiles. Raises ValueError when they lack hashes."""
        tiles: list[bytes] = []
        for level in range(size.bit_length() // HEIGHT + 1):
            index, width = divmod(size >> (HEIGHT * level), WIDTH)
            found = hashes(level, index)[: width * HASH_BYTES] if width else b""
            if len(found) != width * HASH_BYTES:
                raise ValueError(f"tile {index} of level {level} lacks hashes")
            tiles.append(found)
        return cls(size, tiles)

    def copy(self) -> Edge:
        """Another one, which grows by itself."""
        return Edge(self.size, map(bytes, self._tiles))

    def grow(self, hashes: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Add leaves' hashes. What that adds to tiles: level, index of the first hash, hashes; no piece reaches into a second tile."""
        first, self.size = self.size, self.size + len(hashes)
        return self._grow(0, first, hashes)

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        return merkle.root(self.size, nodes(lambda level, index: bytes(self._tiles[level])))

    def _grow(
        self, level: int, first: int, hashes: Sequence[bytes]
    ) -> list[tuple[int, int, bytes]]:
        pieces, above = [], []
        if level == len(self._tiles):
            self._tiles.append(bytearray())
        last = self._tiles[level]
        for start, end in runs(first, len(hashes)):
            piece = b"".join(hashes[start - first : end - first])
            pieces.append((level, start, piece))
            last += piece
            if end % WIDTH == 0:
                above.append(merkle.folded(bytes(last)))
                last.clear()
        # The first of them is the root of the tile in which the first hash was.
        return pieces + (self._grow(level + 1, first // WIDTH, above) if above else [])


def bundled(entries: Iterable[bytes]) -> bytes:
    """Entries as a bundle has them."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundled(bundle: bytes) -> Iterator[bytes]:
    """The entries of a bundle. Raises ValueError when it is cut off."""
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle) or at + 2 > len(bundle):
            raise ValueError("the bundle ends within an entry")
        yield bundle[at + 2 : end]
        at = end


def runs(first: int, count: int) -> Iterator[tuple[int, int]]:
    """The pieces [start, end) of so many hashes from `first` on, none of which reaches into a second tile."""
    end = first + count
    while first < end:
        stop = min(end, (first // WIDTH + 1) * WIDTH)
        yield first, stop
        first = stop


def _elements(index: int) -> str:
    elements = [f"{index % 1000:03}"]
    while index := index // 1000:
        elements.append(f"x{index % 1000:03}")
    return "/".join(reversed(elements))
