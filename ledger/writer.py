"""The writer: appends batches of decided writes and tells each caller what became of his.

Invariants: an append in flight is never cancelled; no write can harm another of its batch; what broke the connection is sent again with
the same event ids, which then tell whether it had been saved; whatever may have been saved is never decided anew. One connection appends, another
reads what is needed to decide meanwhile. Errors: LedgerErrors; Unreachable when the outcome is unknown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from ledger import durability, settings, store
from ledger.connection import heard
from ledger.desk import Desk, replay
from ledger.durability import refuse_unsafe
from ledger.errors import Busy, Invalid, LedgerError, Unreachable
from ledger.flight import Flight
from ledger.plan import refused, strangers, taken
from ledger.store import Appended, Result, TurnedAway, Unit
from ledger.waiting import Waiting, refuse_all
from ledger.wire import Wire

log = logging.getLogger("ledger.writer")

_AWAY: Final = "The database does not answer."
Answers = list[tuple[Waiting, Result]]


class Writer:
    """Appends for one process. `position` is the last that it saw saved."""

    def __init__(self, conninfo: str, desk: Desk, *, on_commit: Callable[[int], None]) -> None:
        self._conninfo = conninfo
        self._desk = desk
        self._on_commit = on_commit
        self._wire: Wire | None = None
        self._reader: store.Connection | None = None
        self._opening = asyncio.Lock()
        # Statements sent together belong to one transaction; those of somebody else between them would leave it open for good.
        self._reads = asyncio.Lock()
        # Until when the database is looked for, from when it was lost: by all that was under way then.
        self._given_up_at: float | None = None
        # What the operator was told, and is not told again.
        self._told = ""
        self.position = 0

    async def open(self) -> None:
        """Connect, and see where the log ends."""
        self.position = await store.head(await self._reading())
        await self._wired()

    async def close(self) -> None:
        """Leave the database."""
        if self._wire is not None:
            await self._wire.close()
        if self._reader is not None:
            await self._reader.close()

    def trim(self, busy: AbstractSet[UUID]) -> None:
        """Bound what is kept of jobs; those that are busy are kept."""
        self._desk.trim(busy)

    def decide_known(self, batch: Sequence[Waiting]) -> tuple[list[Waiting], list[Waiting]]:
        """Decide writes without the database, where that will do: those that are decided, and those that are left to `decide`."""
        return self._desk.decide_known(batch)

    async def decide(self, batch: Sequence[Waiting]) -> list[Waiting]:
        """Read what is needed, and decide writes. Those that need a commit are returned; the others have their outcome."""
        try:
            return await self._decided(batch)
        except psycopg.Error as error:
            refuse_all(batch, self._busy(_AWAY, error))
            return []
        except Exception as error:  # noqa: BLE001 - whatever one write brings along must not harm the others
            return await self._one_by_one(batch, error)

    async def _decided(self, batch: Sequence[Waiting]) -> list[Waiting]:
        async with self._reads:
            try:
                with heard(reader := await self._reading()):
                    return await self._desk.decide(reader, batch)
            except psycopg.Error:
                if not _lost(self._reader):
                    raise
            # The connection had broken since the last batch, as when the server was restarted: a new one may do.
            with heard(reader := await self._reading()):
                return await self._desk.decide(reader, batch)

    async def _one_by_one(self, batch: Sequence[Waiting], error: Exception) -> list[Waiting]:
        """One write of the batch cannot even be decided, as when its job cannot be read: find it, spare the others."""
        if len(batch) == 1:
            batch[0].refuse(error)
            return []
        left = [waiting for waiting in batch if not waiting.settled]
        return [planned for waiting in left for planned in await self.decide([waiting])]

    def depart(self, planned: Sequence[Waiting], *, uncertain: bool = False) -> Flight:
        """Send decided writes off together, where there is a connection. `uncertain`: they were sent before, and no answer came."""
        units = [waiting.unit for waiting in planned if waiting.unit is not None]
        batch = store.encode_batch(units)
        flight = Flight(planned, units, batch, sent=uncertain, uncertain=uncertain)
        if self._wire is not None and not self._wire.broken:
            try:
                flight.send(self._wire)
            except psycopg.Error:
                flight.uncertain = True
        return flight

    async def land(self, flight: Flight) -> Answers:
        """What the database says of each write of a flight; nothing when all have their outcome already."""
        try:
            return await self._answered(flight)
        except Exception as error:  # noqa: BLE001 - they may be saved, so they are not tried again
            refuse_all(flight.planned, error)
            return []

    async def settle(self, flight: Flight, answers: Answers) -> list[Waiting]:
        """Tell the callers. Returns the writes that others forestalled, to be decided anew."""
        try:
            await self._tell(flight, answers)
        except Exception as error:  # noqa: BLE001 - they may be saved, so they are not tried again
            refuse_all(flight.planned, error)
        return [waiting for waiting in flight.planned if _goes_again(waiting)]

    async def _answered(self, flight: Flight) -> Answers:
        while True:
            try:
                if flight.answer is None:
                    flight.send(await self._wired())
                # Once the database was lost, an answer is waited for no longer than a connection.
                by_s = self._given_up_at if flight.uncertain else None
                results = store.answered(flight.units, await flight.landed(by_s))
                self._given_up_at, self._told = None, ""
                return list(zip(flight.planned, results, strict=True))
            except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
                await self._singly(flight, error)
                return []
            except psycopg.Error as error:
                if refusal := self._refusal(flight, error):
                    refuse_all(flight.planned, refusal)
                    return []
                flight.uncertain = True
                if self._gives_up():
                    refuse_all(flight.planned, Unreachable("The connection broke in mid-commit."))
                    return []
                await asyncio.sleep(settings.RECONNECT_PAUSE_S)

    def _gives_up(self) -> bool:
        """Whether the database has been looked for long enough since it was lost."""
        now = asyncio.get_running_loop().time()
        if self._given_up_at is None:
            self._given_up_at = now + settings.RECONNECT_S
        return now > self._given_up_at

    def _refusal(self, flight: Flight, error: psycopg.Error) -> Busy | None:
        """What the callers are told where it is known that nothing was saved."""
        if not flight.sent:
            return self._busy(_AWAY, error)
        if not flight.uncertain and flight.wire is not None and not flight.wire.broken:
            # The server itself refused and rolled back: a lock or statement timeout, a full disk.
            return self._busy("The database refused the commit.", error)
        return None

    def _busy(self, sentence: str, error: psycopg.Error) -> Busy:
        """What callers are told. What PostgreSQL says is for the operator, once until all is well again: it names hosts and files."""
        if sentence != self._told:
            self._told = sentence
            log.warning("%s It says: %s", sentence, error.diag.message_primary or error)
        return Busy(sentence)

    async def _singly(self, flight: Flight, error: psycopg.Error) -> None:
        """One unit of the batch holds what PostgreSQL cannot store: find it, spare the others."""
        if len(flight.planned) == 1:
            sentence = f"The database cannot store this: {error.diag.message_primary}"
            flight.planned[0].refuse(Invalid(sentence))
            return
        for waiting in flight.planned:
            alone = self.depart([waiting], uncertain=flight.uncertain)
            await self._tell(alone, await self._answered(alone))

    async def _tell(self, flight: Flight, answers: Answers) -> None:
        turned_away = []
        for waiting, answer in answers:
            match answer:
                case Appended():
                    self._saved(waiting, answer)
                case TurnedAway():
                    turned_away.append((waiting, answer))
        if answers:
            self._on_commit(self.position)
        # Only now, since it reads: those that are saved must not wait for it, nor suffer when it fails.
        for waiting, refusal in turned_away:
            await self._turned_away(waiting, refusal, uncertain=flight.uncertain)

    def _saved(self, waiting: Waiting, at: Appended) -> None:
        assert waiting.unit is not None
        committed = self._desk.saved(waiting.write, waiting.unit, at)
        self.position = max(self.position, committed.position)
        waiting.resolve(committed)

    async def _turned_away(self, waiting: Waiting, answer: TurnedAway, *, uncertain: bool) -> None:
        try:
            async with self._reads:
                with heard(reader := await self._reading()):
                    await self._read_back(reader, waiting, answer, uncertain=uncertain)
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

    async def _wired(self) -> Wire:
        """The connection that appends."""
        if self._wire is None or self._wire.broken:
            self._wire = await Wire.over(await self._connected(), store.APPEND)
            if self._given_up_at is not None:
                # It is there again, and has as long once more to say something.
                self._given_up_at = asyncio.get_running_loop().time() + settings.RECONNECT_S
        return self._wire

    async def _reading(self) -> store.Connection:
        """The connection that reads."""
        if self._reader is not None and not _lost(self._reader):
            return self._reader
        async with self._opening:
            if self._reader is None or _lost(self._reader):
                self._reader = await self._connected(reads=True)
            return self._reader

    async def _connected(self, *, reads: bool = False) -> store.Connection:
        connected = await AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=int(settings.RECONNECT_S)
        )
        try:
            # Somebody may have changed it since the last time, for the server, the database or our role.
            refuse_unsafe(await (await connected.execute(durability.QUERY)).fetchone())
            if reads:
                # But for numbers of jobs, which are drawn on it: the append that takes them is kept behind them.
                await connected.execute("SET synchronous_commit = off")
        except BaseException:
            await connected.close()
            raise
        return connected


def _lost(connection: store.Connection | None) -> bool:
    return connection is None or connection.closed or connection.broken


async def _there(connection: store.Connection, unit: Unit) -> Appended | None:
    """Where the unit's own events stand in the log, one behind the other, or None when they are not all there."""
    there = await store.events_there(connection, unit.entries)
    if not unit.entries or not all(entry.event_id in there for entry in unit.entries):
        return None
    return Appended(*there[unit.entries[0].event_id])


def _goes_again(waiting: Waiting) -> bool:
    if waiting.settled:
        return False
    waiting.attempts += 1
    waiting.fresh, waiting.unit = True, None
    if waiting.attempts >= settings.COMMIT_ATTEMPTS_MAX:
        waiting.refuse(Busy("Other changes kept reaching this job first."))
        return False
    return True
