"""The importer: batches of histories into the log.

Invariants: what the ledger has already is found and left alone, what it lacks behind that is appended, and what does not fit is rejected, job by job;
one bad job does not sink another. The next batch is read and encoded while the database works on the last. Errors: psycopg's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from api.transfer import held
from api.transfer.columns import Plain
from api.transfer.counts import Counts
from api.transfer.feed import Part
from api.transfer.held import Held
from api.transfer.known import Known, KnownJobs, together
from api.transfer.numbers import Numbers
from api.transfer.rejects import Rejects
from ledger import bulk, imported, settings
from ledger.bulk import Addition
from ledger.codec import Row
from ledger.errors import Conflict, IdentityTaken, Invalid, LedgerError
from ledger.imported import Claim, History
from ledger.store import Connection, TurnedAway


class Importer:
    """One import. `connection` appends; `begin` is where the log stood before. `append` False: everything but that is done.

    Where a job may come up in many batches, each waits for the one before."""

    def __init__(
        self,
        connection: Connection,
        known: KnownJobs,
        numbers: Numbers,
        rejects: Rejects,
        held_jobs: Held,
        *,
        begin: int,
        append: bool,
    ) -> None:
        self.counts = Counts(position=begin)
        self._connection = connection
        self._numbers = numbers
        self._rejects = rejects
        self._held = held_jobs
        self._append = append
        self._known = known
        self._legality = imported.Legality()
        self._again: list[History] = []
        self._under_way: asyncio.Task[None] | None = None
        self._sent: Sequence[Plain | Addition] = ()

    async def take(self, parts: Sequence[Part]) -> None:
        """Import a batch. Its outcome is known when the next one is taken, or at `finish`."""
        if self._known.follow:
            await self.finish()
        await self._round([*filter(None, [self._left()]), *parts])

    async def finish(self) -> None:
        """Wait for what is under way, and look again at what other writers came in between of."""
        await self._settled()
        while again := self._left():
            await self._round([again])
            await self._settled()

    async def abandon(self) -> None:
        """Wait for what is under way, whatever becomes of it."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way])
            if not self._under_way.cancelled():
                self._under_way.exception()  # looked at, so that asyncio does not complain of it as well

    def _left(self) -> list[History]:
        again, self._again = self._again, []
        return again

    async def _settled(self) -> None:
        if self._under_way is not None:
            task, self._under_way = self._under_way, None
            await task

    async def _round(self, parts: Sequence[Part]) -> None:
        """Plan what was told one by one, and send it with what was told at once."""
        sent: list[Plain | Addition] = []
        batches = []
        for part in await self._looked_at(parts):
            if isinstance(part, Plain):
                sent.append(part)
                batches.append(part.batch)
            elif additions := await self._planned(part):
                sent += additions
                batches.append(bulk.pack(additions))
        if sent and self._append:
            batch = bulk.joined(batches)
            await self._settled()
            if self._known.looks and any(isinstance(one, Plain) for one in sent):
                # The batch before clashed: its rows come first, and then these are looked at, too.
                for some in (self._left(), self._one_by_one(sent)):
                    await self._round([some])
                return
            self._under_way = asyncio.create_task(self._save(sent, batch))
            await asyncio.sleep(0)
            await bulk.sent(self._connection)
            self._sent = sent  # what was sent before is let go only now: that takes a while, too

    async def _looked_at(self, parts: Sequence[Part]) -> Sequence[Part]:
        """These parts, one by one where the ledger may have some of their jobs."""
        plain = [part for part in parts if isinstance(part, Plain)]
        if self._known.looks and plain and len(plain) == len(parts):
            await self._known.look_for(plain)
        apart = self._known.looks or self._known.follow
        return [self._one_by_one(parts)] if apart else parts

    def _one_by_one(self, parts: Iterable[Part | Addition]) -> list[History]:
        """All of it as histories, which tell what clashes."""
        histories: list[History] = []
        for part in parts:
            if isinstance(part, Plain):
                self._numbers.give_back(part.drawn)
                histories += part.histories()
            else:
                histories += [part.history] if isinstance(part, Addition) else part
        return histories

    async def _planned(self, histories: Sequence[History]) -> list[Addition]:
        """What of these histories is to be appended. The rest is counted as already there, or rejected."""
        await self._numbers.draw(sum(one.lacks_number for one in histories))
        asked = [
            one for one in histories if self._known.looks or one.attempts or one.creation is None
        ]
        found = await self._known.found(asked)
        if begun := [one for one in asked if one.creation is not None]:
            self._known.there = any(one.job_id in found for one in begun)
        now = datetime.now(UTC)
        planned: dict[UUID, Addition] = {}
        for history in together(histories) if self._known.follow else histories:
            if history.job_id in planned:
                self._again.append(history)  # a second row of a job: its turn comes later
            elif addition := self._addition(history, found.get(history.job_id), now):
                planned[history.job_id] = addition
        return list(planned.values())

    def _addition(self, history: History, known: Known | None, now: datetime) -> Addition | None:
        if self._known.follow and not self._let_through(history):
            return None
        if history.torn is not None:
            self._refuse(history, Conflict(history.torn, version=0))
            return None
        if known is None:
            return self._new(history, now)
        if known.project != history.project:
            taken = IdentityTaken(f"The id {history.job_id} is taken.", field="id", holder=None)
            self._refuse(history, taken)
            return None
        return self._further(history, known, now)

    def _let_through(self, history: History) -> bool:
        """Reject the lines of a job that is held back; whether any are left."""
        line = self._held.line(history.project, history.all_names)
        if line is not None:
            for claim in history.claims:
                if claim.line > line:
                    self._rejects.add(claim.line, history.raws[claim.line], held.reason(line))
            history.claims = [claim for claim in history.claims if claim.line < line]
        return bool(history.claims)

    def _new(self, history: History, now: datetime) -> Addition | None:
        """A job that the ledger does not have."""
        if history.creation is None:
            self._refuse(history, imported.unknown(history))
            return None
        if history.lacks_number:
            imported.renumber(history, self._numbers.next())
        refused = self._legality.refusal(history, now)
        if refused is not None:
            index, error = refused
            self._refuse(history, error, history.claims[index:])
            history.claims = [] if history.whole else history.claims[:index]
        return Addition(history, history.claims) if history.claims else None

    def _further(self, history: History, known: Known, now: datetime) -> Addition | None:
        """A job that the ledger has: what the source tells beyond that."""
        begins, told, after = history.creation is not None, len(history.claims), 0
        # Each row of a table tells its job from the start; what a line has told, no later line tells again.
        there = list(known.there) if history.whole else known.there
        rest, error = _untold(history, known, there)
        kept: Sequence[Claim] = ()
        bad = rest if error else []
        if rest and error is None:
            after = known.job.version
            decided = imported.decided(known.job, history, rest, now)
            kept = decided.claims
            if decided.refused is not None:
                index, error = decided.refused
                bad = rest[index:]
            known.goes_on(decided.job)
        if error is not None:
            self._refuse(history, imported.another(error) if begins else error, bad or None)
            kept = () if history.whole else kept
        elif history.whole:
            self.counts.already += not kept
        if not history.whole:
            self.counts.already += told - len(kept) - len(bad)
            history.claims = list(kept)
            self._known.keep(history.job_id, known)
        if not kept:
            self._give_back(history)
            return None
        return Addition(history, kept, after)

    def _refuse(
        self, history: History, error: LedgerError, claims: Sequence[Claim] | None = None
    ) -> None:
        """Reject these claims of a history, all of them unless said otherwise: the first for its reason, the others because of it."""
        lines = list(
            dict.fromkeys(claim.line for claim in (history.claims if claims is None else claims))
        )
        for line in lines:
            reason = str(error) if line == lines[0] else held.reason(lines[0])
            if history.label is not None:
                reason = f"{history.label}: {reason}"
            self._rejects.add(line, history.raws[line], reason)
        if self._known.follow:
            self._held.hold(history.project, history.all_names, lines[0])
        self._give_back(history)

    def _give_back(self, history: History) -> None:
        """A number that was drawn for a job that is not made is there for the next."""
        creation = history.creation if history.claims else None
        if history.drawn and creation is not None and creation.number is not None:
            self._numbers.give_back([creation.number])
            history.drawn = False

    async def _save(self, sent: Sequence[Plain | Addition], batch: bulk.Batch) -> None:
        additions = [one for one in sent if isinstance(one, Addition)]
        if len(additions) == len(sent):
            await self._save_each(additions, batch)
            return
        try:
            head = await bulk.append_all(self._connection, batch)
        except psycopg.DataError:
            head = None
        if head is None:
            self._known.there = True
            self._again += self._one_by_one(sent)
            return
        self.counts.add(head, sent)

    async def _save_each(self, additions: Sequence[Addition], batch: bulk.Batch) -> None:
        try:
            head, answers = await bulk.append(self._connection, additions, batch)
        except psycopg.DataError as error:
            # One unit holds what PostgreSQL cannot store: find it, spare the others.
            if len(additions) == 1:
                sentence = f"The database cannot store this: {error.diag.message_primary}."
                self._refuse(additions[0].history, Invalid(sentence))
                return
            for addition in additions:
                await self._save_each([addition], bulk.pack([addition]))
            return
        saved = []
        for addition, answer in zip(additions, answers, strict=True):
            if answer is None:
                saved.append(addition)
            else:
                self._turned_away(addition.history, answer)
        self.counts.add(head, saved)

    def _turned_away(self, history: History, answer: TurnedAway) -> None:
        """Look again at a job that somebody else reached first; that may have been an earlier run, or a row above."""
        self._known.forget(history.job_id)
        history.attempts += 1
        if history.attempts >= settings.IMPORT_ATTEMPTS_MAX:
            self._refuse(history, Conflict("Other writers kept changing the job.", version=0))
            return
        if history.drawn and answer.reason == "taken" and answer.detail[0] == "number":
            imported.renumber(history, None)  # the next round draws another
        self._again.append(history)


def _untold(
    history: History, known: Known, there: list[Row]
) -> tuple[Sequence[Claim], LedgerError | None]:
    """What a history tells that the ledger lacks, and why that may not be, if so."""
    if history.beyond is None:
        return imported.untold(history, there)
    try:
        return history.beyond(known.job), None
    except LedgerError as error:
        return (), error
