"""Proofs: that an event, or all of a job's history, is in the log that was signed. Made from the database, checked without it.

Invariants: a proof says no more than was asked: of other events it holds hashes alone; what `receipt` and `of_job` make, `opened` and `checked`
accept under the log's keys. A job's proof shows its events from version 1 on without a gap; that there is none behind the last, only a later
checkpoint can show. Errors: NotSigned, NoSuchEvent; BadProof, BadNote."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from ledger import checkpoint, leaf, merkle, sight, sql, tile
from ledger.checkpoint import Checkpoint
from ledger.disclosure import BadProof, Disclosed
from ledger.errors import LedgerError
from ledger.note import Verifier
from ledger.sight import Sight
from ledger.store import Connection
from ledger.tree import joined

SQL: Final = sql.load(__file__)
FORMAT: Final = "jobledger-proof/1"
_RECEIPT: Final = "c2sp.org/tlog-proof@v1"


class NotSigned(LedgerError):
    """No checkpoint covers this event yet."""

    code = "not_signed_yet"
    hint = "Ask again after the next checkpoint; GET /log/checkpoint tells how far the last one reaches."


class NoSuchEvent(LedgerError):
    """There is no such event in this project."""

    code = "unknown_event"
    hint = "Positions of a project's events are in its feed; those between them belong to others."


@dataclass(frozen=True, slots=True)
class Signed:
    """The last checkpoint, as it was signed, and what is needed to lay leaves open."""

    number: int
    origin: str
    size: int
    note: str
    blinding: bytes = field(repr=False)


async def last(connection: Connection) -> Signed:
    """The last checkpoint. Raises NotSigned before the first."""
    row = await (await connection.execute(SQL["last"])).fetchone()
    if row is None:
        raise NotSigned("No checkpoint was signed yet.")
    number, origin, blinding, size, note = row
    return Signed(number, origin, size, note, bytes(blinding))


async def receipt(connection: Connection, project: str, position: int, seen: Sight) -> str:
    """The receipt of one event, in the form of C2SP's tlog-proof: its `extra` lays the event open. Raises NotSigned, NoSuchEvent.

    `seen`: the projects that whoever asks may see, whatever project is asked about."""
    signed = await last(connection)
    values = {"project": project, "position": position}
    rows = await sight.rows(connection, seen, SQL["event"], values)
    if not rows:
        raise NoSuchEvent(f"Project {project} has no event at position {position}.")
    if position > signed.size:
        raise NotSigned(f"The last checkpoint reaches to {signed.size}, not to {position} yet.")
    (event,), (proof,) = await _laid_open(connection, seen, signed, rows)
    extra = base64.b64encode(json.dumps(event.shown()).encode()).decode()
    lines = [_RECEIPT, f"extra {extra}", f"index {position - 1}", *map(_encoded, proof)]
    return "\n".join(lines) + "\n\n" + signed.note


def opened(text: str, known: Iterable[Verifier]) -> tuple[Disclosed, Checkpoint]:
    """The event that a receipt proves. Raises BadProof, BadNote."""
    head, _, note = text.partition("\n\n")
    form, *lines = head.split("\n")
    if form != _RECEIPT or len(lines) < 2 or not lines[0].startswith("extra "):
        raise BadProof("This is no receipt of a job ledger.")
    index = re.fullmatch(r"index (0|[1-9][0-9]{0,18})", lines[1])
    try:
        event = Disclosed.of(json.loads(base64.b64decode(lines[0][6:], validate=True)))
    except (ValueError, RecursionError) as error:
        raise BadProof(f"The receipt's extra line cannot be read: {error}.") from error
    signed = checkpoint.opened(note, known)
    if index is None or int(index[1]) != event.position - 1:
        raise BadProof("The receipt's index is not that of its event.")
    _check(event, _decoded(lines[2:]), signed)
    return event, signed


def is_receipt(text: str) -> bool:
    """Whether a text is meant to be a receipt."""
    return text.startswith(f"{_RECEIPT}\n")


def received(text: str, known: Iterable[Verifier]) -> dict[str, Any]:
    """Hold a receipt against the keys: what it proves, as `checked` tells it. Raises BadProof, BadNote."""
    event, signed = opened(text, known)
    return _proved(signed, [event])


async def project_of(connection: Connection, job_id: UUID) -> str:
    """The project of a job, for an operator, who sees all of them. Raises NoSuchEvent."""
    row = await (await connection.execute(SQL["project"], (job_id,))).fetchone()
    if row is None:
        raise NoSuchEvent(f"There is no job {job_id}.")
    return str(row[0])


async def of_job(connection: Connection, project: str, job_id: UUID, seen: Sight) -> dict[str, Any]:
    """The whole history of a job up to the last checkpoint, proved: one JSON document. Raises NotSigned, NoSuchEvent."""
    signed = await last(connection)
    values = {"job_id": job_id, "project": project, "size": signed.size}
    rows = await sight.rows(connection, seen, SQL["job"], values)
    if not rows:
        raise NoSuchEvent(f"Of job {job_id} no event is under a checkpoint, or there is none.")
    events, proofs = await _laid_open(connection, seen, signed, rows)
    return {
        "format": FORMAT,
        "project": project,
        "job": str(job_id),
        "checkpoint": signed.note,
        "events": [
            {**event.shown(), "proof": [_encoded(one) for one in proof]}
            for event, proof in zip(events, proofs, strict=True)
        ],
    }


def checked(document: str, known: Sequence[Verifier]) -> dict[str, Any]:
    """Hold a job's proof against the keys: what it proves. Raises BadProof, BadNote."""
    try:
        read = json.loads(document)
        if read["format"] != FORMAT:
            raise BadProof("This is no proof of a job ledger, or one of a later version.")
        signed = checkpoint.opened(read["checkpoint"], known)
        job, project, told = UUID(read["job"]), read["project"], read["events"]
        proofs = [_decoded(one["proof"]) for one in told]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadProof(f"The proof cannot be read: {error!r}.") from error
    events = [Disclosed.of(one) for one in told]
    if not events:
        raise BadProof("The proof holds no event.")
    before = leaf.NO_PREVIOUS
    for version, (event, proof) in enumerate(zip(events, proofs, strict=True), start=1):
        if (event.version, event.job_id, event.project) != (version, job, project):
            raise BadProof(
                f"Version {version} of job {job} is missing, or another event stands in its place."
            )
        if event.previous != before:
            raise BadProof(f"Version {version} does not follow the one before it.")
        before = _check(event, proof, signed)
    return _proved(signed, events)


def _proved(signed: Checkpoint, events: Sequence[Disclosed]) -> dict[str, Any]:
    return {
        "origin": signed.origin,
        "size": signed.size,
        "job": str(events[-1].job_id),
        "project": events[-1].project,
        "events": len(events),
        "erased": sum(event.body is None for event in events),
        "last_position": events[-1].position,
    }


def _check(event: Disclosed, proof: Sequence[bytes], signed: Checkpoint) -> bytes:
    found = merkle.leaf_hash(event.leaf)
    if not merkle.verify_inclusion(found, event.position - 1, signed.size, proof, signed.root):
        raise BadProof(f"The event at position {event.position} is not the one that was signed.")
    return found


async def _laid_open(
    connection: Connection, seen: Sight, signed: Signed, rows: Sequence[tuple[Any, ...]]
) -> tuple[list[Disclosed], list[tuple[bytes, ...]]]:
    """Events laid open, the rows of one job in order, and their proofs."""
    _, _, job_id, version, *_ = rows[0]
    before: int | None = None
    if version > 1:
        found = await sight.rows(connection, seen, SQL["before"], (job_id, version - 1))
        before = found[0][0] if found else None
    positions = [row[0] for row in rows]

    def wanted(node: merkle.Node) -> tuple[list[tuple[bytes, ...]], bytes]:
        previous = leaf.NO_PREVIOUS if before is None else node(0, before - 1)
        return [merkle.inclusion(at - 1, signed.size, node) for at in positions], previous

    tiles = await read_tiles(connection, signed.number, asked_of(wanted))
    try:
        proofs, previous = wanted(tile.nodes(lambda level, index: tiles.get((level, index), b"")))
    except ValueError as error:
        raise BadProof(f"The stored tree is not whole: {error}.") from error
    events = []
    for row in rows:
        event = await _disclosed(connection, signed, row, previous)
        previous = merkle.leaf_hash(event.leaf)
        events.append(event)
    return events, proofs


async def _disclosed(
    connection: Connection, signed: Signed, row: tuple[Any, ...], previous: bytes
) -> Disclosed:
    (
        position,
        event_id,
        job_id,
        version,
        occurred,
        recorded,
        project,
        topic,
        credential,
        salt,
        body,
    ) = row
    if salt is None:
        asked = (signed.number, position - 1)
        stored = await (await connection.execute(SQL["leaf"], asked)).fetchone()
        assert stored is not None
        hashed = list(tile.unbundled(bytes(stored[1])))[position - 1 - stored[0]][-32:]
    else:
        hashed = leaf.body_hash(salt.bytes, body)
    return Disclosed(
        position=position,
        event_id=event_id,
        job_id=job_id,
        version=version,
        occurred_at=occurred,
        recorded_at=recorded,
        project=project,
        topic=topic,
        credential_id=credential,
        salt=None if salt is None else salt.bytes,
        body=None if salt is None else bytes(body),
        body_hash=hashed,
        blind=leaf.blind(signed.blinding, position),
        previous=previous,
    )


def asked_of(ask: Callable[[merkle.Node], Any]) -> set[tuple[int, int]]:
    """Which tiles a computation over nodes asks for, by level and index."""
    asked: set[tuple[int, int]] = set()

    def node(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, tile.HEIGHT)
        asked.add((tile_level, (index << height) // tile.WIDTH))
        return merkle.EMPTY

    ask(node)
    return asked


async def read_tiles(
    connection: Connection, number: int, asked: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], bytes]:
    """The hashes of some tiles, as many as there are, in one question."""
    wanted = sorted(asked)
    words = {
        "epoch": number,
        "levels": [level for level, _ in wanted],
        "indexes": [index for _, index in wanted],
    }
    pieces: dict[tuple[int, int], list[tuple[Any, ...]]] = {}
    cursor = await connection.execute(SQL["tiles"], words)
    for level, index, first, hashes in await cursor.fetchall():
        pieces.setdefault((level, index), []).append((first, hashes))
    return {one: joined(rows, one[1] * tile.WIDTH) for one, rows in pieces.items()}


def _encoded(found: bytes) -> str:
    return base64.b64encode(found).decode()


def _decoded(lines: Iterable[str]) -> list[bytes]:
    try:
        found = [base64.b64decode(line, validate=True) for line in lines]
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadProof("A hash of the proof is not base64.") from error
    if any(len(one) != merkle.HASH_BYTES for one in found):
        raise BadProof("A hash of the proof has not 32 bytes.")
    return found
