"""Proofs over HTTP: the last checkpoint, tiles of the tree, receipts of events and proofs of jobs.

Invariants: checkpoint and tiles are what C2SP's tlog-tiles says, and no tile is served that the last checkpoint does not cover; they disclose how
much there is and nothing else, since leaves are blinded. What is about an event is for its project alone. Errors: NotSigned, NoSuchEvent,
NoSuchPath."""

from __future__ import annotations

from typing import Any, Final

import pydantic_core
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.faults import NoSuchPath
from api.operation import Proved, Said
from api.refusals import refusals
from ledger import proof, tile
from ledger.sight import Sight
from ledger.store import Connection
from ledger.tile import Tile

_TEXT: Final = "text/plain; charset=utf-8"
_FOR_EVER: Final = ("Cache-Control", "public, max-age=31536000, immutable")
# A checkpoint is soon followed by another one.
_BRIEFLY: Final = ("Cache-Control", "public, max-age=1")
_OURS: Final = ("Cache-Control", "private, no-cache")


async def answer(
    pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]], asked: Proved, seen: Sight
) -> Said:
    """The answer to one question, ready made. `seen`: the projects of the credential."""
    async with refusals(), pool.connection() as connection:
        match asked.what:
            case "checkpoint":
                signed = await proof.last(connection)
                return Said(200, signed.note.encode(), _TEXT, (_BRIEFLY,))
            case "tile":
                return await _tile(connection, asked.path)
            case "receipt":
                text = await proof.receipt(connection, asked.project, asked.position, seen)
                return Said(200, text.encode(), _TEXT, (_OURS,))
            case "job":
                assert asked.job_id is not None
                document = await proof.of_job(connection, asked.project, asked.job_id, seen)
                return Said(200, pydantic_core.to_json(document), "application/json", (_OURS,))


async def _tile(connection: Connection, path: str) -> Said:
    try:
        asked = Tile.parse(path)
    except ValueError as error:
        raise NoSuchPath(f"{error}.") from error
    signed = await proof.last(connection)
    if not asked.fits(signed.size):
        raise NoSuchPath(f"The last checkpoint, of {signed.size} events, does not cover this tile.")
    if asked.level is None:
        body = await _bundle(connection, signed.number, asked)
    else:
        one = (asked.level, asked.index)
        found = await proof.read_tiles(connection, signed.number, [one])
        body = found.get(one, b"")[: asked.width * 32]
        if len(body) != asked.width * 32:
            raise NoSuchPath("The stored tree lacks this tile: run `jobledger verify`.")
    return Said(200, body, "application/octet-stream", (_FOR_EVER,))


async def _bundle(connection: Connection, number: int, asked: Tile) -> bytes:
    words = (number, asked.first, asked.first + asked.width)
    cursor = await connection.execute(proof.SQL["bundle"], words)
    entries = [one for (piece,) in await cursor.fetchall() for one in tile.unbundled(bytes(piece))]
    if len(entries) < asked.width:
        raise NoSuchPath("The stored tree lacks these leaves: run `jobledger verify`.")
    return tile.bundled(entries[: asked.width])
