"""A load with journals: clients that create jobs, move them, fight over shared ones and retry, and a follower that reads along.

Invariants: each operation is journalled before it is sent and after it is answered; a retry goes under the same key; what is told as busy
is a promise that nothing happened; nobody asks for an end that is so already. Run as `python -m tests.load DSN FOLDER NAME` it goes on until
it is killed: processes are killed here, not machines, so the journals need not wait for the disk."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from uuid import UUID, uuid4

from psycopg import AsyncConnection, OperationalError

from ledger import store
from ledger.codec import encode
from ledger.commands import Command, Key, Write
from ledger.committer import Committer
from ledger.connection import Role, conninfo
from ledger.errors import Busy, KeyInFlight, LedgerError, Unreachable
from ledger.events import (
    Created,
    Envelope,
    Event,
    Failed,
    ItemsReported,
    Json,
    Message,
    Noted,
    Progressed,
    Queued,
    Started,
    Succeeded,
)
from tests.checker import portrait_of
from tests.journal import Journal, Outcome, Said

CLIENTS = 8
RETRY_S = 0.01
SHARED = [UUID(int=nth) for nth in range(1, 9)]  # jobs that all clients of all processes fight over
LIFE: tuple[Event, ...] = (
    Queued(),
    Started(messages=(Message(message="a worker took it"),)),
    Progressed(progress=0.5),
    ItemsReported(total=4, succeeded=3, failed=1),
    Failed(final=False),
    Started(),
    Noted(),
    Succeeded(),
)


class Client:
    """One of them. Its operations are numbered after its name."""

    def __init__(self, name: str, committer: Committer, journal: Journal) -> None:
        self._name = name
        self._committer = committer
        self._journal = journal
        self._chance = random.Random(name)
        self._operations = 0
        self._mine: list[tuple[UUID, int]] = []

    async def run(self) -> None:
        """Operate until cancelled."""
        while True:
            await self._operate(self._next())

    def _next(self) -> list[tuple[UUID, Event]]:
        choice = self._chance.random()
        if choice < 0.2 or not self._mine:
            count = 3 if choice < 0.05 else 1
            new = [uuid4() for _ in range(count)]
            self._mine += [(job_id, 0) for job_id in new]
            detail: dict[str, Json] = {"by": self._name, "x": [0.1, None, "ä", self._operations]}
            return [(job_id, Created(type="t", owner="o", detail=detail)) for job_id in new]
        if choice < 0.4:
            return [(self._chance.choice(SHARED), self._shared())]
        index = self._chance.randrange(len(self._mine))
        job_id, step = self._mine[index]
        if step + 1 < len(LIFE):
            self._mine[index] = (job_id, step + 1)
        else:
            self._mine.pop(index)
        return [(job_id, LIFE[step])]

    def _shared(self) -> Event:
        new = Created(type="shared", owner="all")
        return self._chance.choice((new, Started(), Noted(), Failed(final=False), Queued()))

    async def _operate(self, said: list[tuple[UUID, Event]]) -> None:
        self._operations += 1
        name = f"{self._name}-{self._operations}"
        envelope = Envelope("load", self._name, credential_id="k", note=name)
        commands = tuple(Command(job_id, event, envelope) for job_id, event in said)
        write = Write(commands, Key("load", name, name.encode()))
        asked = [
            Said(event.TOPIC, json.loads(encode(event, envelope))["event"], str(job_id))
            for job_id, event in said
        ]
        unknown = False
        while True:
            self._journal.sent(name, asked)
            try:
                saved = await self._committer.commit(write)
            except (Unreachable, KeyInFlight):
                unknown = True
                await asyncio.sleep(RETRY_S)
            except Busy:
                await asyncio.sleep(RETRY_S)
                # That nothing happened holds for this try; of one before it, nobody knows yet.
                if not unknown:
                    self._journal.told(name, Outcome.FAIL)
                    return
            except LedgerError:
                self._journal.told(name, Outcome.FAIL)
                return
            else:
                answer = [[str(job.id), job.version] for job in saved.jobs]
                self._journal.told(name, Outcome.OK, [saved.position, answer])
                for job in saved.jobs:
                    self._journal.looked(str(job.id), saved.position, portrait_of(job))
                return
            self._journal.told(name, Outcome.UNKNOWN)


async def follow(dsn: str, name: str, journal: Journal, news: asyncio.Event) -> None:
    """Read the log from its beginning, for ever, over whatever connection there is: when woken, and now and then."""
    position = 0
    while True:
        try:
            opened = await AsyncConnection.connect(conninfo(dsn, Role.APP), autocommit=True)
            async with opened as connection:
                while True:
                    page = await store.read_after(connection, position, 500)
                    if page:
                        journal.saw(name, [(r.position, str(r.event_id)) for r in page])
                        position = page[-1].position
                    elif await woken(news):
                        news.clear()
        except OperationalError:
            await woken(news)


async def woken(news: asyncio.Event) -> bool:
    """Whether there was news, within the time after which one looks anyway."""
    try:
        await asyncio.wait_for(news.wait(), 0.1)
    except TimeoutError:
        return False
    return True


async def main(dsn: str, folder: Path, name: str) -> None:
    """All clients and the follower, each with a journal of its own."""
    news = asyncio.Event()
    async with (
        Committer(dsn, on_commit=lambda _: news.set()) as one,
        Committer(dsn) as other,
        asyncio.TaskGroup() as group,
    ):
        for nth in range(CLIENTS):
            journal = Journal(folder / f"{name}-{nth}.jsonl", sync=False)
            client = Client(f"{name}-{nth}", (one, other)[nth % 2], journal)
            group.create_task(client.run())
        journal = Journal(folder / f"{name}-follower.jsonl", sync=False)
        group.create_task(follow(dsn, name, journal, news))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
