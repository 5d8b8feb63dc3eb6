"""Appends in process: the committer with many callers, without HTTP.

Invariants: each caller plays job after job, one durable event a call, and waits for its commit; what was answered and what is in the log are the
same number; Python looks for garbage as seldom as it does under `jobledger serve`. Errors: Spoilt, when they are not."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import uvloop
from uuid_utils.compat import uuid7

from ledger import settings
from ledger.commands import Command, Write
from ledger.committer import Committer
from ledger.events import Envelope
from scripts.benchmarks import life
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Slot, Spoilt, tallied

_ENVELOPE = Envelope(project=life.PROJECT, actor=life.ACTOR, credential_id="0" * 16)


def callers(count: int) -> Callable[[Scene], AbstractContextManager[Slot]]:
    """So many callers of one committer."""

    @contextmanager
    def enter(scene: Scene) -> Iterator[Slot]:
        with (
            _looking_seldom(),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            committer = runner.run(_opened(scene.dsn))
            try:

                def slot(slot_s: float) -> Measured:
                    before = scene.position()
                    measured, answered = runner.run(_play(committer, count, slot_s))
                    if (grown := scene.position() - before) != answered:
                        raise Spoilt(
                            f"{answered} appends were answered, and the log grew by {grown}."
                        )
                    return measured

                yield slot
                scene.check_log()
            finally:
                runner.run(committer.__aexit__())

    return enter


@contextmanager
def _looking_seldom() -> Iterator[None]:
    """The garbage collector as a server sets it (api/serving.py): by its own thresholds it takes a quarter of an append."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(settings.GARBAGE_NEW_MAX)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def _opened(dsn: str) -> Committer:
    return await Committer(dsn).__aenter__()


async def _play(committer: Committer, count: int, slot_s: float) -> tuple[Measured, int]:
    times: list[float] = []
    late: list[float] = []
    start = time.perf_counter()
    deadline = start + slot_s

    async def caller(nth: int) -> None:
        while True:
            job_id = uuid7()
            for event in (life.creation(nth=nth), *life.AFTERLIFE):
                began = time.perf_counter()
                if began >= deadline:
                    return
                await committer.commit(Write((Command(job_id, event, _ENVELOPE),)))
                now = time.perf_counter()
                (times if now < deadline else late).append(now - began)

    await asyncio.gather(*(caller(nth) for nth in range(count)))
    measured = tallied(times, late, slot_s, time.perf_counter() - start)
    return replace(measured, beside={"callers": count}), len(times) + len(late)
