"""The audit: the log read again from the database and held against its tree, and the tree against what was signed.

Invariants: nothing is believed but bytes: every leaf is made anew, here, of the row that is served, and the root of every checkpoint of these leaves;
PostgreSQL only reads. An event without salt was erased: its columns are held against its leaf, what is left of its body against the hash in the
last job.erased that names it, which stands under a leaf of its own. Units: positions; `size` counts events.
Errors: psycopg's own; what is wrong is a fault in words."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from psycopg import Connection

from ledger import checkpoint, leaf, note, settings, sql, tile
from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError
from ledger.events import Erased
from ledger.note import Verifier
from ledger.tile import Edge
from ledger.tree import Epoch, Tiles, previous, unseen

SQL: Final = sql.load(__file__)

Progress = Callable[[int, int], None]
_BODY = slice(leaf.LEAF_BYTES - 32, leaf.LEAF_BYTES)  # of a leaf


@dataclass(slots=True)
class Findings:
    """What an audit found. `faults` are the first of `wrong` sentences; `unsigned` events are behind the last checkpoint."""

    events: int = 0
    erased: int = 0
    checkpoints: int = 0
    unsigned: int = 0
    wrong: int = 0
    faults: list[str] = field(default_factory=list)

    def fault(self, sentence: str) -> None:
        """Something is not as it was."""
        self.wrong += 1
        if len(self.faults) < settings.FAULTS_SHOWN_MAX:
            self.faults.append(sentence)


def epochs(connection: Connection[Any]) -> dict[str, tuple[Epoch, str]]:
    """The logs that were signed, by origin, each with the statement it began with."""
    rows = connection.execute(SQL["epochs"]).fetchall()
    return {row[1]: (Epoch(row[0], row[1], bytes(row[2])), row[3]) for row in rows}


def published_keys(connection: Connection[Any]) -> tuple[Verifier, ...]:
    """The keys that the database names. Whoever can change the database can change them."""
    return tuple(Verifier.parse(vkey) for (vkey,) in connection.execute(SQL["keys"]))


def begun(of: Epoch, statement: str, known: Iterable[Verifier]) -> str | None:
    """What is wrong with the statement that a log began with; None when a known key vouches that this log began so."""
    try:
        said = note.opened(statement, known).text
    except LedgerError as error:
        return f"The statement that {of.origin} began with: {error}"
    return (
        None
        if of.origin in said.split("\n")
        else f"{of.origin} began with another log's statement."
    )


class Audit:
    """One reading of the log under one epoch. `known` are the keys that the caller believes, `marks` checkpoints it holds besides.

    `sink` gets the leaves as they are made of what is served, for a verifier of somebody else's."""

    def __init__(
        self,
        connection: Connection[Any],
        epoch: Epoch,
        known: Sequence[Verifier],
        marks: Iterable[Checkpoint] = (),
        progress: Progress = lambda done, total: None,
        sink: Callable[[Sequence[bytes]], None] = lambda leaves: None,
    ) -> None:
        self._connection = connection
        self._epoch = epoch
        self._known = known
        self._progress = progress
        self._sink = sink
        self._marks = {mark.size: [mark.root] for mark in marks}
        self._seen: OrderedDict[bytes, bytes] = OrderedDict()
        self._above: dict[int, bytearray] = {}
        # What is left of erased bodies, and what erasures said is left: by job and version.
        self._left: dict[tuple[bytes, int], tuple[int, str]] = {}
        self._told: dict[tuple[bytes, int], str] = {}
        self.findings = Findings()

    def run(self, after: int = 0) -> Findings:
        """Read every event behind a position; what stands before it is believed as far as its root is that of a mark at `after`."""
        found = self.findings
        head, last, count, outside = self._one(SQL["counted"])
        if not head == last == count or outside:
            found.fault(
                f"The head is at {head}, the last event at {last}, and {count} events are there."
            )
        for mark in sorted(self._marks):
            if mark > last:
                found.fault(f"The log has {last} events, and {mark} were signed: it was set back.")
        self._checkpoints(after, last)
        try:
            edge = Edge.of(after, Tiles(self._connection, self._epoch.number).hashes)
        except ValueError as error:
            found.fault(f"The stored tree is not whole: {error}.")
            return found
        self._compare(edge)
        self._read(edge, last)
        self._erasures()
        if not after:
            self._uppers()
        found.unsigned = max(0, last - max(self._marks, default=0))
        return found

    def _checkpoints(self, after: int, last: int) -> None:
        """Take the stored checkpoints as marks, each only with its signature."""
        for size, signed in self._connection.execute(
            SQL["checkpoints"], (self._epoch.number, after)
        ):
            self.findings.checkpoints += 1
            try:
                read = checkpoint.opened(signed, self._known, origin=self._epoch.origin)
            except LedgerError as error:
                self.findings.fault(f"The stored checkpoint of {size}: {error}")
                continue
            if read.size != size:
                self.findings.fault(f"The checkpoint stored as that of {size} is of {read.size}.")
            if read.size > last and read.size not in self._marks:
                self.findings.fault(f"The log has {last} events, and {read.size} were signed.")
            self._marks.setdefault(read.size, []).append(read.root)

    def _read(self, edge: Edge, last: int) -> None:
        stops = sorted(mark for mark in self._marks if edge.size < mark <= last)
        stops.append(last)
        with self._connection.cursor(binary=True) as cursor:
            while edge.size < last:
                limit = (edge.size, settings.SEAL_EVENTS_MAX)
                rows = cursor.execute(SQL["events"], limit, prepare=True).fetchall()
                hashes = self._leaves(edge.size, rows)
                if len(hashes) < len(rows) or not rows:
                    self.findings.fault(
                        f"The event at position {edge.size + len(hashes) + 1} is missing."
                    )
                    return
                at, done = edge.size, 0
                while stops and stops[0] <= at + len(hashes):
                    stop = stops.pop(0)
                    self._grow(edge, hashes[done : stop - at])
                    done = stop - at
                    self._compare(edge)
                self._grow(edge, hashes[done:])
                self._progress(edge.size, last)

    def _leaves(self, size: int, rows: list[tuple[Any, ...]]) -> list[bytes]:
        """The hashes of the leaves of these rows up to the first that is missing; each leaf is held against the stored one."""
        self._seen.update(
            previous(self._connection, self._epoch.number, size, unseen(rows, self._seen))
        )
        stored, shown = self._stored(size, size + len(rows))
        hashes: list[bytes] = []
        entries: list[bytes] = []
        for at, row in enumerate(rows, start=size + 1):
            if row[0] != at:
                break
            job_id = row[1]
            entry = self._leaf(row, stored.get(at), self._seen.get(job_id, leaf.NO_PREVIOUS))
            found = sha256(b"\x00" + entry).digest()
            if at in stored and (stored[at] != entry or shown.get(at) != found):
                self._differs(row, stored[at], entry)
            elif at not in stored and at <= max(self._marks, default=0):
                self.findings.fault(f"The leaf of the event at position {at} is missing.")
            self._seen[job_id] = found
            self._seen.move_to_end(job_id)
            hashes.append(found)
            entries.append(entry)
        self._sink(entries)
        self.findings.events += len(hashes)
        while len(self._seen) > settings.SEAL_JOBS_KEPT_MAX:
            self._seen.popitem(last=False)
        return hashes

    def _leaf(self, row: tuple[Any, ...], stored: bytes | None, before: bytes) -> bytes:
        position, job_id, version, event_id, occurred, recorded, *texts, salt, state = row
        columns = leaf.Columns(
            event_id, job_id, version, _time(occurred), _time(recorded), *texts
        ).hash(leaf.blind(self._epoch.blinding, position))
        if salt is not None:
            body = leaf.body_hash(salt, state)
        else:
            body = leaf.body_hash(b"", state)
            if stored is not None and stored[_BODY] != body:
                self.findings.erased += 1
                self._left[job_id, version] = (position, sha256(state).hexdigest())
                body = stored[_BODY]
        if texts[1] == Erased.TOPIC:
            self._hear(job_id, state)
        return leaf.leaf(position, columns, before, body)

    def _hear(self, job_id: bytes, state: bytes) -> None:
        """What an erasure says is left of the bodies that it names."""
        try:
            said = Erased.model_validate_json(json.dumps(json.loads(state)["event"]))
        except (ValueError, KeyError, TypeError):
            return  # its own leaf tells
        self._told.update({(job_id, one.version): one.sha256 for one in said.bodies})

    def _erasures(self) -> None:
        """Hold what is left of erased bodies against what was said of them."""
        for key, (position, left) in self._left.items():
            if self._told.get(key) != left:
                self.findings.fault(
                    f"The body of the event at position {position} is not what an erasure left of it."
                )

    def _differs(self, row: tuple[Any, ...], stored: bytes, made: bytes) -> None:
        position = row[0]
        if stored == made:
            self.findings.fault(
                f"The stored hash of the leaf at position {position} is not its own."
            )
        elif stored[: _BODY.start] == made[: _BODY.start]:
            self.findings.fault(f"The body of the event at position {position} was changed.")
        else:
            self.findings.fault(
                f"The columns of the event at position {position}, or what came before it, were changed."
            )

    def _stored(self, first: int, end: int) -> tuple[dict[int, bytes], dict[int, bytes]]:
        """The stored leaves of the positions behind `first` up to `end`, and their stored hashes, by position."""
        entries: dict[int, bytes] = {}
        hashes: dict[int, bytes] = {}
        # A piece begins at most a tile before.
        words = {"epoch": self._epoch.number, "first": first - tile.WIDTH, "end": end}
        for start, bundle, tiles in self._connection.execute(SQL["leaves"], words, binary=True):
            try:
                read = list(tile.unbundled(bundle))
            except ValueError as error:
                self.findings.fault(f"The stored leaves from {start} on cannot be read: {error}.")
                continue
            for at, entry in enumerate(read, start=start + 1):
                entries[at] = entry
                hashes[at] = (tiles or b"")[(at - start - 1) * 32 : (at - start) * 32]
        return entries, hashes

    def _grow(self, edge: Edge, hashes: Sequence[bytes]) -> None:
        for level, _, piece in edge.grow(hashes):
            if level:
                self._above.setdefault(level, bytearray()).extend(piece)

    def _compare(self, edge: Edge) -> None:
        """Hold the root against those that were signed of this size."""
        expected = self._marks.get(edge.size, ())
        if not expected:
            return
        root = edge.root
        for signed in expected:
            if signed != root:
                self.findings.fault(
                    f"The first {edge.size} events are not those that were signed: another root."
                )

    def _uppers(self) -> None:
        """Hold the stored hashes of the upper levels against those that the leaves make."""
        stored: dict[int, bytearray] = {}
        for level, first, hashes in self._connection.execute(SQL["upper"], (self._epoch.number,)):
            found = stored.setdefault(level, bytearray())
            if first != len(found) // 32:
                self.findings.fault(
                    f"Level {level} of the stored tree lacks hashes before {first}."
                )
            found += bytes(hashes)
        for level, hashes in stored.items():
            if not self._above.get(level, bytearray()).startswith(bytes(hashes)):
                self.findings.fault(f"Level {level} of the stored tree is not that of its leaves.")

    def _one(self, query: Any) -> tuple[Any, ...]:
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return tuple(row)


def _time(sent: bytes | None) -> bytes:
    return b"\x00" if sent is None else b"\x01" + sent
