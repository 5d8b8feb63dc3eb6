"""Statements: what a read costs the database, in every dialect: one question, whatever is on the page.

Invariants: what is counted are the statements that the server's event loop sends, beside the one that says which project may be seen; answers are
asked for a few times and the least counts, since now and then one looks after a key or a maintenance as well. Seen red with a second statement in
`query.find`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import pytest
from psycopg.pq.abc import PGresult

from api.dialects import DIALECTS
from api.dialects.dialect import Dialect
from api.operation import Operation, Scope
from ledger.wire import Wire
from tests.conformance.speakers import SPEAKERS, Speaker
from tests.conformance.stage import Stage

READS = [
    pytest.param(dialect, operation, id=f"{dialect.name} {operation.id}")
    for dialect in DIALECTS
    for operation in dialect.operations
    if operation.scope is Scope.JOBS_READ
]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that the server sends while a test lasts."""
    texts: list[str] = []
    execute = psycopg.AsyncCursor.execute

    async def counted(self, query, *values, **more):  # type: ignore[no-untyped-def]
        texts.append(query.decode() if isinstance(query, bytes) else str(query))
        return await execute(self, query, *values, **more)

    sending = Wire._sent

    def sent_again(self: Wire, send: Callable[[], None]) -> asyncio.Future[PGresult]:
        texts.append("what stands on the wire, or is made ready there")
        return sending(self, send)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", counted)
    monkeypatch.setattr(Wire, "_sent", sent_again)
    return texts


# Operations that ask otherwise than once: the tables of GoGrid are no rows, and FullStory's parts of a batch are looked up by the batch.
QUESTIONS = {
    "getLookupList": 0,
    "postLookupList": 0,
    "getBatchEventsImports": 2,
    "getBatchEventsImportErrors": 2,
}


def words_of(dialect: Dialect, operation: Operation, stage: Stage) -> list[tuple[str, str]]:
    """What an operation needs to answer with jobs: a page of fifty with its total, or the name of a job."""
    speaker = SPEAKERS.get(dialect.name, Speaker())
    listing = speaker.lists.get(operation.id)
    words = [*speaker.always, *(listing.page(50) if listing else ())]
    if "count" in {one.name for one in operation.parameters}:
        words.append(("count", "exact"))
    if operation.path.endswith("/job/get"):
        words.append(("id", stage.busiest.number))
    return words


@pytest.mark.parametrize(("dialect", "operation"), READS)
def test_a_read_is_one_question(
    stage: Stage, sent: list[str], dialect: Dialect, operation: Operation
) -> None:
    words = words_of(dialect, operation, stage)
    counts = []
    for _ in range(5):
        sent.clear()
        # FullStory's clients send the key as it is, and the word Basic before it.
        headers = (
            {"Authorization": f"Basic {stage.keys.key}"} if not SPEAKERS.get(dialect.name) else {}
        )
        stage.ask(dialect, operation, words, headers=headers, judged=False)
        counts.append(
            len([text for text in sent if text and not text.startswith("SELECT set_config")])
        )
    assert min(counts) == QUESTIONS.get(operation.id, 1)
