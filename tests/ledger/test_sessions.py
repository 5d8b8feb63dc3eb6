"""Sessions that a pooler spoils are refused: those without their options, and one that is two."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

import psycopg
import pytest

from ledger import sessions
from ledger.connection import Role, conninfo
from ledger.errors import Misconfigured
from tests.proxy import Proxy

pytestmark = pytest.mark.anyio

REFUSAL = b"SFATAL\x00C08P01\x00Munsupported startup parameter: options\x00\x00"


class Pooler(Proxy):
    """What a pooler makes of the first message of a session: it leaves the options out, or refuses them."""

    refuses = False

    async def _talk(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up: asyncio.StreamReader,
        down: asyncio.StreamWriter,
    ) -> None:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        said = await reader.readexactly(length - 4)
        words = said[4:].rstrip(b"\x00").split(b"\x00")
        given = dict(zip(words[::2], words[1::2], strict=True))
        if given.pop(b"options", b"") and self.refuses:
            writer.write(b"E" + struct.pack("!i", len(REFUSAL) + 4) + REFUSAL)
            await writer.drain()
            return
        kept = b"".join(name + b"\x00" + word + b"\x00" for name, word in given.items()) + b"\x00"
        down.write(struct.pack("!i", len(kept) + 8) + said[:4] + kept)
        await super()._talk(reader, writer, up, down)


@pytest.fixture
async def pooler(database: str) -> AsyncIterator[Pooler]:
    async with Pooler(database) as opened:
        yield opened


async def test_sessions_of_postgresql_itself_are_good(database: str) -> None:
    await asyncio.to_thread(sessions.check, database)


@pytest.mark.parametrize(
    ("refuses", "told"), [(False, "options were left out"), (True, "takes no options")]
)
async def test_a_session_without_its_options(pooler: Pooler, refuses: bool, told: str) -> None:
    """It would speak as the login: past all walls, and for as long as it likes."""
    pooler.refuses = refuses
    with pytest.raises(Misconfigured, match=told):
        await asyncio.to_thread(sessions.check, pooler.dsn)


async def test_a_session_that_is_given_out_twice(database: str) -> None:
    """Whoever has it by turns would lose his locks, and hear of nothing."""
    with (
        psycopg.connect(conninfo(database, Role.READER), autocommit=True) as shared,
        pytest.raises(Misconfigured, match="one and the same"),
    ):
        sessions.refuse_shared(shared, shared)


async def test_a_server_that_is_away_is_no_pooler(database: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        sessions.check(database.replace("port=5432", "port=1"))
