"""The tree over the log as it stands in the database: leaves and tiles, and how they grow.

Invariants: leaves are made of events read back from the database, in position order, none left out; leaves and tiles of a batch are written in
one transaction, and never again; the leaf of position p has the index p - 1. Units: `size` counts leaves. Errors: Gap; psycopg's own."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Self

from psycopg import Connection

from ledger import leaf, merkle, settings, sql, tile
from ledger.errors import LedgerError
from ledger.merkle import HASH_BYTES

SQL: Final = sql.load(__file__)


class Gap(LedgerError):
    """The log lacks an event that was counted."""

    code = "log_gap"
    hint = "Events were removed by hand, or the head was moved: run `jobledger verify --since` a checkpoint that was kept elsewhere."


@dataclass(frozen=True, slots=True)
class Epoch:
    """A log that is signed. `blinding` is secret: with it, what is in the leaves could be guessed."""

    number: int
    origin: str
    blinding: bytes = field(repr=False)


def epoch(connection: Connection[Any]) -> Epoch | None:
    """The log that is signed now; None before the first."""
    row = connection.execute(SQL["epoch"]).fetchone()
    return None if row is None else Epoch(row[0], row[1], bytes(row[2]))


def head(connection: Connection[Any]) -> int:
    """The position of the last event of the log."""
    row = connection.execute(SQL["head"]).fetchone()
    assert row is not None
    return int(row[0])


class Tiles:
    """Reads tiles of one epoch, each once."""

    def __init__(self, connection: Connection[Any], number: int) -> None:
        self._connection = connection
        self._epoch = number
        self._kept: dict[tuple[int, int], bytes] = {}

    def hashes(self, level: int, index: int) -> bytes:
        """The hashes of a tile, as many as there are up to the first that is missing."""
        if (level, index) not in self._kept:
            span = (index * tile.WIDTH, (index + 1) * tile.WIDTH)
            rows = self._connection.execute(SQL["hashes"], (self._epoch, level, *span))
            self._kept[level, index] = joined(rows.fetchall(), span[0])
        return self._kept[level, index]

    @property
    def node(self) -> merkle.Node:
        """The nodes of the tree."""
        return tile.nodes(self.hashes)


def joined(rows: list[tuple[Any, ...]], first: int) -> bytes:
    """The pieces of a tile as one, up to the first that is missing."""
    found = b""
    for start, hashes in rows:
        if start != first + len(found) // HASH_BYTES:
            break
        found += bytes(hashes)
    return found


class Tree:
    """The tree of one epoch, for the one who makes it grow. Memory holds its right edge and the leaf hashes of jobs lately seen."""

    def __init__(self, connection: Connection[Any], of: Epoch) -> None:
        self._connection = connection
        self.epoch = of
        self.size = 0
        # The last tile of each level, never full: a full one has become a hash of the next level.
        self._edge: list[bytearray] = [bytearray()]
        self._seen: OrderedDict[bytes, bytes] = OrderedDict()

    @classmethod
    def stored(cls, connection: Connection[Any], of: Epoch) -> Self:
        """The tree as it stands in the database."""
        tree = cls(connection, of)
        tiles = Tiles(connection, of.number)
        tree._edge = []
        for level, last in connection.execute(SQL["edge"], (of.number,)).fetchall():
            index = int(last) // tile.WIDTH
            hashes = tiles.hashes(level, index)
            count = index * tile.WIDTH + len(hashes) // HASH_BYTES
            if level == 0:
                tree.size = count
            full = len(hashes) == tile.WIDTH * HASH_BYTES
            tree._edge.append(bytearray() if full else bytearray(hashes))
        tree._edge.append(bytearray())
        return tree

    @property
    def root(self) -> bytes:
        """The root of all of it."""
        return merkle.root(self.size, tile.nodes(self._at_edge))

    def consistency(self, old: int) -> tuple[bytes, ...]:
        """The proof that the tree of that size is its beginning, out of what is stored. Raises ValueError when that lacks something."""
        return merkle.consistency(old, self.size, Tiles(self._connection, self.epoch.number).node)

    def extend(self, to: int) -> int:
        """Add the events up to position `to`, at most a batch of them; how many leaves there are then. Raises Gap."""
        to = min(to, self.size + settings.SEAL_EVENTS_MAX)
        wanted = {"blinding": self.epoch.blinding, "after": self.size, "to": to}
        # The edge in memory must not be ahead of the database when its transaction fails.
        before = self.size, [bytearray(edge) for edge in self._edge]
        try:
            with self._connection.transaction():
                with self._connection.cursor(binary=True) as cursor:
                    rows = cursor.execute(SQL["unsealed"], wanted, prepare=True).fetchall()
                if len(rows) != to - self.size:
                    raise Gap(f"Of the events {self.size + 1} to {to} only {len(rows)} are there.")
                self._write(rows)
        except BaseException:
            self.size, self._edge = before
            self._seen.clear()
            raise
        return self.size

    def _write(self, rows: list[tuple[int, bytes, int, bytes, bytes]]) -> None:
        first, entries, hashes = self.size, [], []
        self._recall(rows)
        for position, job_id, _, columns, body in rows:
            if position != self.size + 1:
                raise Gap(f"The event {self.size + 1} is missing.")
            entry = leaf.leaf(position, columns, self._seen.get(job_id, leaf.NO_PREVIOUS), body)
            found = sha256(b"\x00" + entry).digest()
            self._seen[job_id] = found
            self._seen.move_to_end(job_id)
            entries.append(entry)
            hashes.append(found)
            self.size += 1
        pieces = [
            (self.epoch.number, start, tile.bundled(entries[start - first : end - first]))
            for start, end in tile.runs(first, len(entries))
        ]
        with self._connection.cursor() as cursor:
            cursor.executemany(SQL["add_entries"], pieces)
            cursor.executemany(SQL["add_hashes"], self._grown(0, first, hashes))
        while len(self._seen) > settings.SEAL_JOBS_KEPT_MAX:
            self._seen.popitem(last=False)

    def _grown(
        self, level: int, first: int, hashes: list[bytes]
    ) -> list[tuple[int, int, int, bytes]]:
        """The rows that these hashes make on their level and all above; the edge takes them in."""
        rows, above = [], []
        if level == len(self._edge):
            self._edge.append(bytearray())
        edge = self._edge[level]
        for start, end in tile.runs(first, len(hashes)):
            piece = b"".join(hashes[start - first : end - first])
            rows.append((self.epoch.number, level, start, piece))
            edge += piece
            if end % tile.WIDTH == 0:
                above.append(merkle.folded(bytes(edge)))
                edge.clear()
        if above:
            # The first of them is the root of the tile in which the first hash was.
            rows += self._grown(level + 1, first // tile.WIDTH, above)
        return rows

    def _recall(self, rows: list[tuple[int, bytes, int, bytes, bytes]]) -> None:
        """Look up the leaf hashes before the first events of jobs that were not seen lately."""
        missing: dict[bytes, int] = {}
        for _, job_id, version, _, _ in rows:
            if version > 1 and job_id not in self._seen:
                missing.setdefault(job_id, version - 1)
        fresh = {job_id for _, job_id, version, _, _ in rows if version == 1}
        asked = {job_id: version for job_id, version in missing.items() if job_id not in fresh}
        if not asked:
            return
        words = {
            "jobs": [job_id.hex() for job_id in asked],
            "versions": list(asked.values()),
            "epoch": self.epoch.number,
            "size": self.size,
        }
        with self._connection.cursor(binary=True) as cursor:
            for job_id, found in cursor.execute(SQL["previous"], words):
                self._seen[job_id] = found

    def _at_edge(self, level: int, index: int) -> bytes:
        assert index == (self.size >> (tile.HEIGHT * level)) // tile.WIDTH
        return bytes(self._edge[level])
