"""The teller: answers questions from the log and its read models, for one process.

Invariants: a question is answered only for its principal's own project; a write waits until the read models have reached it unless the caller
prefers not to; nobody sleeps or polls per request. Errors: LedgerError; Busy when the database or the queue has no room."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Self

from api import past, pools, proofs, repeats
from api.admission import Admission
from api.auth import Authenticator
from api.batch import results
from api.batch.batches import Batches
from api.batch.question import Results, Submission
from api.dialects.dialect import Dialect
from api.faults import Behind
from api.gate import Gate
from api.keyring.keyring import Keyring
from api.maintenance import Switch
from api.measures import Measures
from api.nonces import Nonces
from api.oidc import Issuer, trust_of
from api.operation import (
    Answer,
    Aside,
    Asked,
    Each,
    Nothing,
    Operation,
    Outcomes,
    Proved,
    Question,
    Resolve,
    Resolved,
    Said,
    Scope,
    Shown,
    committed_position,
)
from api.pages import Pages
from api.porter import Porter
from api.preferences import prefers
from api.refusals import refusals
from api.refused import Refusals
from api.secret import Secret
from api.travel import Travel
from api.turns import Turns
from ledger import names, settings, store
from ledger.commands import Write
from ledger.committer import Committed, Committer
from ledger.desk import replayed
from ledger.errors import (
    BatchRefused,
    Busy,
    Conflict,
    IdentityTaken,
    Invalid,
    LedgerError,
    moved_on,
)
from ledger.wake import Herald
from ledger.wires import Wires
from projections import query, rivals, walk
from projections.audit import Inquiry, inquire
from projections.lately import Lately
from projections.position import Waiter
from projections.question import Feed, Named, Query, Tally
from projections.runner import Runner
from projections.together import Together


class Teller:
    """Everything that a process holds open to answer with. `async with Teller(...)` opens it, and closes it in reverse."""

    def __init__(self, dsn: str, secret: Secret, *, run_projections: bool = True) -> None:
        chosen = settings.settings()
        self._dsn = dsn
        self._wait_s_max = chosen.wait_s_max
        self.measures = Measures()
        self.admission = Admission(chosen)
        self.porter = Porter(Turns(chosen), self.measures)
        self.pool = pools.questions(dsn, chosen.pool_connections_max)
        self.walks = Wires(walk.conninfo(dsn), settings.WALKS_CONNECTIONS_MAX)
        # Apart from those, since to walk the fewest may take long.
        self.rivals = Wires(walk.conninfo(dsn), settings.WALKS_CONNECTIONS_MAX)
        self.herald = Herald(dsn)
        self.committer = Committer(
            dsn, on_commit=self._committed, waiting_max=chosen.commit_waiting_max
        )
        self.gets = Together(dsn)
        self.waiter = Waiter(self.pool, None if run_projections else dsn, self.herald)
        self.lately = Lately(on_told=self.measures.listed)
        self.runner = Runner(dsn, on_progress=self._progressed) if run_projections else None
        issuer = Issuer(trust_of(chosen.oidc_file)) if chosen.oidc_file else None
        self.nonces = Nonces(dsn)
        self.authenticator = Authenticator(self.pool, self.nonces, secret, issuer=issuer)
        self.switch = Switch(self.pool)
        self.batches = Batches(dsn, self.switch, self.measures, chosen, on_commit=self._committed)
        self.refused = Refusals(dsn)
        self.keyring = Keyring(dsn, secret, self.authenticator)
        self.gate = Gate(self.switch, self.authenticator, self.porter, self.refused)
        self.travel = Travel(self.pool, partial(self._reached, past=True))
        self.pages = Pages(self)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as opening:
            await self.pool.open(wait=True, timeout=settings.RECONNECT_S)
            opening.push_async_callback(self.pool.close)
            for asks in (self.walks, self.rivals, self.gets, self.nonces, self.waiter):
                await opening.enter_async_context(asks)
            if self.runner is not None:
                self.runner.start()
                opening.push_async_callback(asyncio.to_thread, self.runner.stop)
            await self.waiter.built(settings.BUILD_WAIT_S)
            await opening.enter_async_context(self.refused)
            await opening.enter_async_context(self.herald)
            await opening.enter_async_context(self.committer)
            await opening.enter_async_context(self.batches)
            self._open = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def perform(self, dialect: Dialect, operation: Operation, asked: Asked) -> Said:
        """Ask, answer, tell: for who was admitted, or is now."""
        if operation.scope is Scope.PUBLIC:
            return await self._answered(operation, asked)
        if asked.principal is None:
            await self.gate.admit(dialect, operation, asked)
        try:
            with self.admission.of(asked.who):
                return await self._answered(operation, asked)
        except LedgerError as error:
            self.refused.note(operation, asked, error)
            raise

    async def _answered(self, operation: Operation, asked: Asked) -> Said:
        then = None if operation.past is None else past.read(operation.past(asked))
        if then is not None:
            await self.travel.lead(then, asked)
        # What takes long to read is read beside the event loop.
        large = len(asked.body) > settings.BODY_BYTES_QUICK
        question = (
            await asyncio.to_thread(_asked, operation, asked) if large else _asked(operation, asked)
        )
        said = operation.tell(asked, await self.answer(question, asked))
        return said if then is None else past.stamped(said, asked, then)

    async def answer(self, question: Question, asked: Asked) -> Answer:
        """The answer to one question."""
        match question:
            case Write():
                committed = await self._commit(question)
                await self._followed(committed.position, asked)
                return committed
            case Resolve():
                resolved = await self._resolve(question)
                await self._followed(committed_position((resolved,)), asked)
                return resolved
            case Each():
                return await self._each(question, asked)
            case Query() | Named() | Tally() | Feed() | Inquiry():
                return await self._read(question, asked)
            case Submission():
                async with refusals():
                    committed = await self.batches.take(question)
                await self._followed(committed.position, asked)
                return committed
            case Nothing():
                return None
            case _:
                return await self._aside(question, asked)

    async def _aside(self, question: Aside, asked: Asked) -> Answer:
        match question:
            case Results():
                async with refusals(), self.pool.connection() as connection:
                    return await results.page(connection, question)
            case Shown():
                return await self.pages.page(question)
            case Proved():
                seen = (
                    (asked.who.project,) if asked.principal else ()
                )  # checkpoint and tiles are nobody's
                return await proofs.answer(self.pool, question, seen)
            case _:
                return await self.keyring.answer(question, asked)

    async def _commit(self, write: Write) -> Committed:
        committed = await self.committer.commit(write)
        self.measures.appended(len(committed.recorded))
        return committed

    async def _followed(self, position: int, asked: Asked) -> None:
        """Wait until the read models have what was committed, unless the caller prefers not to."""
        if position and self._wait_s_max and not prefers(asked, "respond-async"):
            await self._reached(position)

    async def _resolve(self, question: Resolve) -> Resolved:
        """Find the jobs, then write; anew while others change the jobs in between."""
        refusal: LedgerError | None = None
        for _ in range(settings.RESOLVE_ATTEMPTS_MAX):
            async with refusals(), self.pool.connection() as connection:
                found = await names.named(connection, question.project, question.names)
                # Only now: a key that is not known yet has not changed the jobs that were found either.
                if (known := await replayed(connection, question.key)) is not None:
                    return Resolved(found, known)
            write = question.then(found)
            if write is None:
                return Resolved(found, None)
            try:
                return Resolved(found, await self._commit(write))
            except (Conflict, IdentityTaken, BatchRefused) as error:
                if not moved_on(error):
                    raise
                refusal = error
        if isinstance(refusal, IdentityTaken):
            raise refusal
        raise Busy("Other changes kept reaching these jobs first.") from refusal

    async def _each(self, question: Each, asked: Asked) -> Outcomes:
        lanes: dict[str, list[int]] = {}
        for index, (lane, _) in enumerate(question.lanes):
            lanes.setdefault(lane, []).append(index)
        outcomes: dict[int, Resolved | LedgerError] = {}
        room = asyncio.Semaphore(settings.LANES_MAX)

        async def go_along(indices: list[int]) -> None:
            async with room:
                for index in indices:
                    try:
                        outcomes[index] = await self._resolve(question.lanes[index][1])
                    except LedgerError as error:
                        outcomes[index] = error

        async with asyncio.TaskGroup() as tasks:
            for indices in lanes.values():
                tasks.create_task(go_along(indices))
        answer = tuple(outcomes[index] for index in range(len(question.lanes)))
        await self._followed(committed_position(answer), asked)
        return answer

    async def _read(self, question: Query | Named | Tally | Feed | Inquiry, asked: Asked) -> Answer:
        sight = (asked.who.project,)  # the credential's, whatever project the question names
        if not isinstance(question, Feed | Inquiry) and question.min_position:
            await self._reach(question.min_position)
        if isinstance(question, Inquiry) and question.as_of is None:
            async with refusals(), self.pool.connection() as connection:
                head = await store.head(connection)
            await self._reached(head, past=True)
        async with refusals():
            match question:
                case Named() if question.is_get and question.project in sight:
                    return await self.gets.job(asked.who.project, question.ids[0])
                case Query() if walk.walks(question):
                    return await query.find(self.walks, question, sight, self.lately)
                case Query() if rivals.compete(question):
                    return await query.find(self.rivals, question, sight, self.lately)
                case Tally() if walk.walks(question):
                    return await query.tally(self.walks, question, sight)
            async with self.pool.connection() as connection:
                if isinstance(question, Inquiry):
                    return await inquire(connection, question, sight)
                return await query.answer(connection, question, sight, self.lately)

    async def _reach(self, position: int) -> None:
        async with refusals():
            if not await self.waiter.is_there(position):
                raise Invalid(f"No event has position {position} yet.", field="min_position")
        if not await self._reached(position):
            raise Behind(f"The read models have not reached position {position} yet.")

    async def _reached(self, position: int, *, past: bool = False) -> bool:
        return await self.waiter.reached(position, self._wait_s_max, past=past)

    def _committed(self, position: int) -> None:
        self.herald.announce(position)
        if self.runner is not None:
            self.runner.wake(position)

    def _progressed(self, name: str, position: int) -> None:
        """Called by a projection's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.waiter.progressed, name, position)


def _asked(operation: Operation, asked: Asked) -> Question:
    # Larger bodies are read by a dialect's own walk, which looks for repeats on its way.
    if asked.body and operation.body_bytes_max <= settings.BODY_BYTES_MAX:
        repeats.refuse(asked.body)
    return operation.ask(asked)
