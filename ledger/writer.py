"""The writer: one connection that appends batches of decided writes and tells each caller what became of his.

Invariants: an append in flight is never cancelled; no write can harm another of its batch; what broke the connection is sent again with
the same event ids, which then tell whether it had been saved; whatever may have been saved is never decided anew. Errors: LedgerErrors;
Unreachable when the outcome is unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from ledger import durability, settings, store
from ledger.desk import Desk, replay
from ledger.durability import refuse_unsafe
from ledger.errors import Busy, Invalid, LedgerError, Unreachable
from ledger.plan import refused, strangers, taken
from ledger.store import Appended, Result, TurnedAway, Unit
from ledger.waiting import Waiting, refuse_all


class Writer:
    """Appends for one process. `position` is the last that it saw saved."""

    def __init__(self, conninfo: str, desk: Desk, *, on_commit: Callable[[int], None]) -> None:
        self._conninfo = conninfo
        self._desk = desk
        self._on_commit = on_commit
        self._connection: store.Connection | None = None
        self.position = 0

    async def open(self) -> None:
        """Connect, and see where the log ends."""
        self.position = await store.head(await self._connected())

    async def close(self) -> None:
        """Leave the database."""
        if self._connection is not None:
            await self._connection.close()

    async def commit(self, batch: Sequence[Waiting]) -> list[Waiting]:
        """Give each write its outcome. Returns those that others forestalled, to be decided anew."""
        try:
            planned = await self._decide(batch)
        except psycopg.Error as error:
            refuse_all(batch, Busy(f"The database does not answer: {error}"))
            return []
        except Exception as error:  # noqa: BLE001 - whatever one write brings along must not harm the others
            return await self._one_by_one(batch, error)
        try:
            if planned:
                await self._append(planned)
        except Exception as error:  # noqa: BLE001 - they may be saved, so they are not tried again
            refuse_all(planned, error)
        self._desk.trim()
        return [waiting for waiting in batch if _goes_again(waiting)]

    async def _decide(self, batch: Sequence[Waiting]) -> list[Waiting]:
        try:
            return await self._desk.decide(await self._connected(), batch)
        except psycopg.Error:
            if not self._lost():
                raise
        # The connection had broken since the last batch, as when the server was restarted: a new one may do.
        return await self._desk.decide(await self._connected(), batch)

    async def _one_by_one(self, batch: Sequence[Waiting], error: Exception) -> list[Waiting]:
        """One write of the batch cannot even be decided, as when its job cannot be read: find it, spare the others."""
        if len(batch) == 1:
            batch[0].refuse(error)
            return []
        left = [waiting for waiting in batch if not waiting.settled]
        return [again for waiting in left for again in await self.commit([waiting])]

    async def _append(self, planned: Sequence[Waiting], *, uncertain: bool = False) -> None:
        """Commit the planned units and settle them. `uncertain`: they were sent before, and no answer came."""
        answers, uncertain = await self._send(planned, uncertain=uncertain)
        turned_away = []
        for waiting, answer in zip(planned, answers, strict=False):
            match answer:
                case Appended():
                    self._appended(waiting, answer)
                case TurnedAway():
                    turned_away.append((waiting, answer))
        if answers:
            self._on_commit(self.position)
        # Only now, since it reads: those that are saved must not wait for it, nor suffer when it fails.
        for waiting, refusal in turned_away:
            await self._turned_away(waiting, refusal, uncertain=uncertain)

    async def _send(
        self, planned: Sequence[Waiting], *, uncertain: bool
    ) -> tuple[list[Result], bool]:
        """The answers of the database; none when all have their outcome already. True: an earlier try may have been saved."""
        deadline = asyncio.get_running_loop().time() + settings.RECONNECT_S
        units = [waiting.unit for waiting in planned if waiting.unit is not None]
        while True:
            try:
                return await store.append(await self._connected(), units), uncertain
            except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
                await self._append_singly(planned, error, uncertain=uncertain)
                return [], uncertain
            except psycopg.Error as error:
                if not uncertain and not self._lost():
                    # The server itself refused and rolled back: a lock or statement timeout, a full disk.
                    refuse_all(planned, Busy(f"The database refused the commit: {error}"))
                    return [], uncertain
                uncertain = True
                if asyncio.get_running_loop().time() > deadline:
                    refuse_all(planned, Unreachable("The connection broke in mid-commit."))
                    return [], uncertain
                await asyncio.sleep(settings.RECONNECT_PAUSE_S)

    async def _append_singly(
        self, planned: Sequence[Waiting], error: psycopg.Error, *, uncertain: bool
    ) -> None:
        """One unit of the batch holds what PostgreSQL cannot store: find it, spare the others."""
        if len(planned) == 1:
            sentence = f"The database cannot store this: {error.diag.message_primary}"
            planned[0].refuse(Invalid(sentence))
            return
        for waiting in planned:
            await self._append([waiting], uncertain=uncertain)

    def _appended(self, waiting: Waiting, answer: Appended) -> None:
        assert waiting.unit is not None
        count = len(waiting.unit.entries)
        self._saved(waiting, [(answer.position + nth, answer.recorded_at) for nth in range(count)])

    def _saved(self, waiting: Waiting, placed: Sequence[tuple[int, datetime]]) -> None:
        assert waiting.unit is not None
        committed = self._desk.saved(waiting.write, waiting.unit, placed)
        self.position = max(self.position, committed.position)
        waiting.resolve(committed)

    async def _turned_away(self, waiting: Waiting, answer: TurnedAway, *, uncertain: bool) -> None:
        try:
            connection = await self._connected()
            await self._read_back(connection, waiting, answer, uncertain=uncertain)
        except psycopg.Error:
            waiting.refuse(Unreachable("The connection broke before the outcome could be read."))
        except LedgerError as error:
            waiting.refuse(error)

    async def _read_back(
        self, connection: store.Connection, waiting: Waiting, answer: TurnedAway, *, uncertain: bool
    ) -> None:
        """Why was it turned away? Whoever has no outcome after this is decided anew."""
        unit = waiting.unit
        assert unit is not None
        if uncertain and (there := await _there(connection, unit)):
            self._saved(waiting, there)
            return
        match answer:
            case TurnedAway("key", detail):
                assert unit.key is not None
                kept = bytes.fromhex(detail["request_hash"])
                waiting.resolve(await replay(connection, unit.key, kept, detail["outcome"]))
            case TurnedAway("stranger"):
                raise strangers(waiting.write, UUID(answer.detail))
            case TurnedAway("taken"):
                if failures := taken(waiting.write, await store.holders(connection, unit)):
                    raise refused(waiting.write, failures)
                self._desk.drop_numbers()

    async def _connected(self) -> store.Connection:
        if self._lost():
            connected = await AsyncConnection.connect(
                self._conninfo, autocommit=True, connect_timeout=int(settings.RECONNECT_S)
            )
            try:
                # Somebody may have changed it since the last time, for the server, the database or our role.
                refuse_unsafe(await (await connected.execute(durability.QUERY)).fetchone())
            except BaseException:
                await connected.close()
                raise
            self._connection = connected
        assert self._connection is not None
        return self._connection

    def _lost(self) -> bool:
        return self._connection is None or self._connection.closed or self._connection.broken


async def _there(connection: store.Connection, unit: Unit) -> list[tuple[int, datetime]] | None:
    """Where the unit's own events stand in the log, or None when they are not all there."""
    there = await store.events_there(connection, unit.entries)
    if not all(entry.event_id in there for entry in unit.entries):
        return None
    return [there[entry.event_id] for entry in unit.entries]


def _goes_again(waiting: Waiting) -> bool:
    if waiting.settled:
        return False
    waiting.attempts += 1
    waiting.fresh, waiting.unit = True, None
    if waiting.attempts >= settings.COMMIT_ATTEMPTS_MAX:
        waiting.refuse(Busy("Other changes kept reaching this job first."))
        return False
    return True
