"""A proxy between a client and PostgreSQL that cuts the line at a chosen moment, or all lines at any.

Invariants: it cuts once each time it is armed, at the message that carries the marker; other lines and messages pass untouched, but while it is
shaken. It listens on a unix socket of its own, named as libpq wants it. Units: seconds."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

SOCKET = ".s.PGSQL.5432"
CHUNK_BYTES = 1 << 16
SHAKE_S = 0.005  # from one look at all lines to the next
READY = b"Z\x00\x00\x00\x05I"  # the server's "I am done and idle", with which each answer ends


class Cut(Enum):
    """When to cut."""

    BEFORE = "before the message reaches the server"
    WHILE = "when the server has it and its answer has not come"
    AFTER = "when the server has done it and its answer is on the way"
    UNHEARD = "not at all, but nothing reaches the server any more"
    UNTOLD = "not at all, but nothing comes from the server any more"


SILENT = (Cut.UNHEARD, Cut.UNTOLD)


class Proxy:
    """`async with Proxy(dsn) as proxy:` clients connect to `proxy.dsn`."""

    def __init__(self, dsn: str) -> None:
        self._server = f"{conninfo_to_dict(dsn)['host']}/{SOCKET}"
        self._folder = Path(tempfile.mkdtemp(prefix="jl-"))
        self.dsn = make_conninfo(dsn, host=str(self._folder))
        self._marker: bytes | None = None
        self._cut = Cut.BEFORE
        self._closed = False
        self._lines: set[asyncio.Task[None]] = set()
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_unix_server(self._line, self._folder / SOCKET)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        shutil.rmtree(self._folder)

    def cut(self, when: Cut, marker: str, *, stay_closed: bool = False) -> None:
        """Cut at the next message that holds the marker. `stay_closed`: and let nobody in until `open`."""
        self._marker, self._cut, self._stay_closed = marker.encode(), when, stay_closed

    async def shake(self, for_s: float, life_s: float, chance: random.Random) -> None:
        """Cut lines at any moment, from the first byte of a login on, so that none lives longer than a few times `life_s`."""
        time = asyncio.get_running_loop().time
        until_s = time() + for_s
        while time() < until_s:
            for line in [*self._lines]:
                if chance.random() < SHAKE_S / life_s:
                    line.cancel()
                    self.cuts += 1
            await asyncio.sleep(SHAKE_S)

    def open(self) -> None:
        """Let clients in again."""
        self._closed = False

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        try:
            if not self._closed:
                up, down = await asyncio.open_unix_connection(self._server)
                try:
                    await self._talk(reader, writer, up, down)
                finally:
                    down.close()
        except (asyncio.CancelledError, OSError):
            pass  # the test is over, or PostgreSQL is away: the client sees its line end
        finally:
            writer.close()
            self._lines.discard(task)

    async def _talk(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up: asyncio.StreamReader,
        down: asyncio.StreamWriter,
    ) -> None:
        """Pass on both ways until one side ends or the line is cut."""
        muted = asyncio.Event()
        ways = [
            asyncio.create_task(self._ask(reader, down, muted)),
            asyncio.create_task(self._answer(up, writer, muted)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _ask(
        self, reader: asyncio.StreamReader, down: asyncio.StreamWriter, muted: asyncio.Event
    ) -> None:
        tail = b""
        while chunk := await reader.read(CHUNK_BYTES):
            tail += chunk
            if self._marker is not None and self._marker in tail:
                self._marker = None
                self.cuts += 1
                self._closed = self._stay_closed
                if self._cut not in (Cut.BEFORE, Cut.UNHEARD):
                    muted.set()
                    down.write(chunk)
                    await down.drain()
                if self._cut in SILENT:
                    await reader.read()  # until the client gives it up
                if self._cut is not Cut.AFTER:
                    return
            else:
                down.write(chunk)
                await down.drain()
            tail = tail[-200:]

    async def _answer(
        self, up: asyncio.StreamReader, writer: asyncio.StreamWriter, muted: asyncio.Event
    ) -> None:
        heard = b""
        while chunk := await up.read(CHUNK_BYTES):
            if not muted.is_set():
                writer.write(chunk)
                with suppress(ConnectionError):
                    await writer.drain()
                continue
            heard = (heard + chunk)[-len(READY) :]
            if heard == READY and self._cut not in SILENT:
                return
