"""Wires: a few connections on which one process asks many statements, each prepared on a wire when it is first asked there.

Invariants: a question goes to the wire that has the fewest under way and is sent behind them at once, each as a transaction of its own; a wire takes
few, so that hardly anybody waits behind a slow one, and who finds all full waits as for a connection of a pool; what was asked on a wire that breaks,
or was prepared for other types than it answers with by now, is asked again, so statements only read. A wire keeps as many plans as it may. Errors:
Busy when there is no room; psycopg's own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.adapt import PyFormat, Transformer

from ledger import settings
from ledger.errors import Busy
from ledger.sight import numbered
from ledger.wire import Wire

QUESTIONS_MAX: Final = 8  # under way on one wire, behind each other; who comes then waits as for a connection of a pool
STATEMENTS_MAX: Final = 100  # of which a wire keeps the plans (some 100 KiB each), as many as a connection of psycopg's own

_UNDER_WAY: Final = attrgetter("under_way")


class Wires:
    """Those of one process, each made when it is first needed. To borrow a connection of a pool and ask on it by a cursor takes thrice as long as
    the answer."""

    def __init__(self, conninfo: str, wires_max: int) -> None:
        self._ends = [_End(conninfo) for _ in range(wires_max)]
        self._room = asyncio.Semaphore(wires_max * QUESTIONS_MAX)
        self._waiting = 0

    async def __aenter__(self) -> Self:
        await self._ends[0].wire()  # whether there is one to be had
        return self

    async def __aexit__(self, *_: object) -> None:
        for end in self._ends:
            await end.close()

    async def rows(self, text: bytes, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows that a statement answers with, in binary. It says by itself which projects it may see."""
        numbers, names = numbered(text)
        if self._room.locked():
            await self._wait()
        else:
            await self._room.acquire()
        try:
            end = min(self._ends, key=_UNDER_WAY)
            return await end.rows(numbers, [values[name] for name in names])
        finally:
            self._room.release()

    async def _wait(self) -> None:
        if self._waiting >= settings.POOL_WAITING_MAX:
            raise Busy("All database connections are taken.")
        self._waiting += 1
        try:
            async with asyncio.timeout(settings.POOL_ACQUIRE_TIMEOUT_S):
                await self._room.acquire()
        except TimeoutError as error:
            raise Busy("All database connections are taken.") from error
        finally:
            self._waiting -= 1


class _End:
    """Our end of a wire, whichever it is, with the names of what is prepared on it, the one asked last at the end."""

    def __init__(self, conninfo: str) -> None:
        self.under_way = 0
        self._conninfo = conninfo
        self._wire: Wire | None = None
        self._names: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._prepared = 0
        # One at a time connects or prepares, for all who need the same.
        self._making = asyncio.Lock()

    async def wire(self) -> Wire:
        """The wire, made anew when it broke."""
        if self._wire is None or self._wire.broken:
            async with self._making:
                if self._wire is None or self._wire.broken:
                    connection = await AsyncConnection.connect(
                        self._conninfo, autocommit=True, connect_timeout=int(settings.RECONNECT_S)
                    )
                    self._names.clear()
                    self._wire = Wire(connection)
        return self._wire

    async def close(self) -> None:
        """Hang up."""
        if self._wire is not None:
            await self._wire.close()

    async def rows(self, text: bytes, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows that a statement answers with."""
        self.under_way += 1
        try:
            wire = await self.wire()
            try:
                return await self._rows(wire, text, values)
            except psycopg.OperationalError:
                if not wire.broken:
                    raise
            return await self._rows(await self.wire(), text, values)
        finally:
            self.under_way -= 1

    async def _rows(self, wire: Wire, text: bytes, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        adapted = Transformer(wire.connection)
        sent = adapted.dump_sequence(values, [PyFormat.AUTO] * len(values))
        # What stands for a number is of a type as small as the number is.
        statement = (text, adapted.types or ())
        if (name := self._names.pop(statement, None)) is None:
            name = await self._name(wire, *statement)
        else:
            self._names[statement] = name
        try:
            result = await wire.ask(name, sent, adapted.formats)
        except psycopg.errors.FeatureNotSupported:
            # It answers with other types by now, as when a read model of another version has taken the place of one.
            await self._forget(wire, statement, name)
            result = await wire.ask(await self._name(wire, *statement), sent, adapted.formats)
        adapted.set_pgresult(result)
        return adapted.load_rows(0, result.ntuples, tuple)

    async def _forget(
        self, wire: Wire, statement: tuple[bytes, tuple[int, ...]], name: bytes
    ) -> None:
        # Of several who find out, the first.
        if self._names.get(statement) == name:
            del self._names[statement]
            await wire.forget(name)

    async def _name(self, wire: Wire, text: bytes, types: tuple[int, ...]) -> bytes:
        async with self._making:
            if (name := self._names.get((text, types))) is not None:
                return name
            if len(self._names) >= STATEMENTS_MAX:
                await wire.forget(self._names.pop(next(iter(self._names))))
            self._prepared += 1
            name = b"asked_%d" % self._prepared
            await wire.prepare(name, text, types)
            self._names[text, types] = name
            return name
