"""The tree over the log as it stands in the database: leaves and tiles, and how they grow.

Invariants: leaves are made of events read back from the database, in position order, none left out; leaves and tiles of a batch are written in
one transaction, and never again; the leaf of position p has the index p - 1. Units: `size` counts leaves. Errors: Gap; psycopg's own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Self

from psycopg import Connection

from ledger import leaf, merkle, settings, sql, tile
from ledger.errors import LedgerError
from ledger.merkle import HASH_BYTES
from ledger.tile import Edge

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

    def __init__(self, connection: Connection[Any], of: Epoch, edge: Edge) -> None:
        self._connection = connection
        self.epoch = of
        self._edge = edge
        self._seen: OrderedDict[bytes, bytes] = OrderedDict()

    @classmethod
    def stored(cls, connection: Connection[Any], of: Epoch) -> Self:
        """The tree as it stands in the database. Raises ValueError when that lacks something."""
        row = connection.execute(SQL["size"], (of.number,)).fetchone()
        assert row is not None
        return cls(connection, of, Edge.of(int(row[0]), Tiles(connection, of.number).hashes))

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return self._edge.size

    @property
    def root(self) -> bytes:
        """The root of all of it."""
        return self._edge.root

    def consistency(self, old: int) -> tuple[bytes, ...]:
        """The proof that the tree of that size is its beginning, out of what is stored. Raises ValueError when that lacks something."""
        return merkle.consistency(old, self.size, Tiles(self._connection, self.epoch.number).node)

    def extend(self, to: int) -> int:
        """Add the events up to position `to`, at most a batch of them; how many leaves there are then. Raises Gap."""
        to = min(to, self.size + settings.SEAL_EVENTS_MAX)
        wanted = {"blinding": self.epoch.blinding, "after": self.size, "to": to}
        # The edge in memory must not be ahead of the database when its transaction fails.
        before = self._edge.copy()
        try:
            with self._connection.transaction():
                with self._connection.cursor(binary=True) as cursor:
                    rows = cursor.execute(SQL["unsealed"], wanted, prepare=True).fetchall()
                if len(rows) != to - self.size:
                    raise Gap(f"Of the events {self.size + 1} to {to} only {len(rows)} are there.")
                self._write(rows)
        except BaseException:
            self._edge = before
            self._seen.clear()
            raise
        return self.size

    def _write(self, rows: list[tuple[int, bytes, int, bytes, bytes]]) -> None:
        first, entries, hashes = self.size, [], []
        self._recall(rows)
        for at, (position, job_id, _, columns, body) in enumerate(rows, start=first + 1):
            if position != at:
                raise Gap(f"The event {at} is missing.")
            entry = leaf.leaf(position, columns, self._seen.get(job_id, leaf.NO_PREVIOUS), body)
            found = sha256(b"\x00" + entry).digest()
            self._seen[job_id] = found
            self._seen.move_to_end(job_id)
            entries.append(entry)
            hashes.append(found)
        number = self.epoch.number
        bundles = [
            (number, start, tile.bundled(entries[start - first : end - first]))
            for start, end in tile.runs(first, len(entries))
        ]
        with self._connection.cursor() as cursor:
            cursor.executemany(SQL["add_entries"], bundles)
            pieces = self._edge.grow(hashes)
            cursor.executemany(SQL["add_hashes"], [(number, *piece) for piece in pieces])
        while len(self._seen) > settings.SEAL_JOBS_KEPT_MAX:
            self._seen.popitem(last=False)

    def _recall(self, rows: list[tuple[int, bytes, int, bytes, bytes]]) -> None:
        """Look up the leaf hashes before the first events of jobs that were not seen lately."""
        asked = unseen(rows, self._seen)
        if asked:
            self._seen.update(previous(self._connection, self.epoch.number, self.size, asked))


def unseen(rows: Sequence[Sequence[Any]], seen: Container[bytes]) -> dict[bytes, int]:
    """The jobs whose first event among these follows one that was not seen, and that one's version. A row begins with position, job, version."""
    asked: dict[bytes, int] = {}
    begun: set[bytes] = set()
    for _, job_id, version, *_ in rows:
        if job_id not in begun and version > 1 and job_id not in seen:
            asked[job_id] = version - 1
        begun.add(job_id)
    return asked


def previous(
    connection: Connection[Any], number: int, size: int, asked: Mapping[bytes, int]
) -> dict[bytes, bytes]:
    """The stored leaf hashes of events, each named by its job and version, as far as the tree of that size has them."""
    words = {
        "jobs": [job_id.hex() for job_id in asked],
        "versions": list(asked.values()),
        "epoch": number,
        "size": size,
    }
    with connection.cursor(binary=True) as cursor:
        return dict(cursor.execute(SQL["previous"], words).fetchall())
