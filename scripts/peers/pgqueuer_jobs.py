"""pgqueuer: a queue in PostgreSQL, end to end. Callers enqueue as fast as they are answered, one worker runs what comes.

Invariants: the clock stops when every enqueued job was run. Run as `-m scripts.peers.pgqueuer_jobs DSN CALLERS`. Units: jobs a second."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta

import psycopg
from pgqueuer import PgQueuer
from pgqueuer.db import PsycopgDriver
from pgqueuer.queries import Queries

from scripts.peers.turns import taken

POLL_S = 0.01


class Bench:
    """One queue with its worker, open for all turns."""

    def __init__(self, dsn: str, callers: int) -> None:
        self._dsn, self._callers = dsn, callers
        self._done = 0

    async def open(self) -> None:
        """Install the queue, and begin to work on it."""
        drivers = [
            PsycopgDriver(await psycopg.AsyncConnection.connect(self._dsn, autocommit=True))
            for _ in range(self._callers + 1)
        ]
        self._queries = [Queries(driver) for driver in drivers[1:]]
        await self._queries[0].install()
        queuer = PgQueuer(drivers[0])

        @queuer.entrypoint("work")
        async def work(job: object) -> None:
            self._done += 1

        self._worker = asyncio.create_task(
            queuer.run(dequeue_timeout=timedelta(seconds=0.1), batch_size=20)
        )

    async def turn(self, seconds: float) -> float:
        """Enqueue for so long, and wait for the rest."""
        began = time.perf_counter()
        before, queued = self._done, 0

        async def caller(queries: Queries) -> None:
            nonlocal queued
            while time.perf_counter() < began + seconds:
                await queries.enqueue("work", b"{}")
                queued += 1

        await asyncio.gather(*map(caller, self._queries))
        while self._done - before < queued:  # noqa: ASYNC110 - the worker tells nobody
            await asyncio.sleep(POLL_S)
        return queued / (time.perf_counter() - began)


def main() -> None:
    """Take turns."""
    bench = Bench(sys.argv[1], int(sys.argv[2]))
    with asyncio.Runner() as runner:
        runner.run(bench.open())
        taken(lambda seconds: runner.run(bench.turn(seconds)))


if __name__ == "__main__":
    main()
