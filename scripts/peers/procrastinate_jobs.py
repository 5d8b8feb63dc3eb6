"""procrastinate: tasks in PostgreSQL, end to end. Callers defer as fast as they are answered, one worker runs what comes.

Invariants: the clock stops when every deferred job has succeeded. Run as `-m scripts.peers.procrastinate_jobs DSN CALLERS`. Units: jobs a second."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

import procrastinate

from scripts.peers.turns import taken

POLL_S = 0.01


async def _turn(
    app: procrastinate.App, work: procrastinate.tasks.Task, callers: int, seconds: float
) -> float:
    began = time.perf_counter()
    deferred = 0

    async def caller() -> None:
        nonlocal deferred
        while time.perf_counter() < began + seconds:
            await work.defer_async()
            deferred += 1

    worker = asyncio.create_task(
        app.run_worker_async(
            concurrency=callers,
            install_signal_handlers=False,
            delete_jobs="successful",
            # What its worker was told of while it looked, it finds with the next look: by default after five seconds, which measures nothing.
            fetch_job_polling_interval=0.1,
        )
    )
    await asyncio.gather(*(caller() for _ in range(callers)))
    while await _left(app):  # noqa: ASYNC110 - the worker tells nobody
        await asyncio.sleep(POLL_S)
    took_s = time.perf_counter() - began
    worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await worker
    return deferred / took_s


async def _left(app: procrastinate.App) -> bool:
    for status in ("todo", "doing"):
        if list(await app.job_manager.list_jobs_async(status=status)):
            return True
    return False


def main() -> None:
    """Take turns."""
    dsn, callers = sys.argv[1], int(sys.argv[2])
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=dsn, max_size=callers)
    )

    @app.task(queue="bench")
    async def work() -> None:
        """Nothing: what is measured is the keeping of jobs."""

    with asyncio.Runner() as runner:
        runner.run(app.open_async().__aenter__())
        runner.run(app.schema_manager.apply_schema_async())
        taken(lambda seconds: runner.run(_turn(app, work, callers, seconds)))
        runner.run(app.close_async())


if __name__ == "__main__":
    main()
