"""Visible: how long what was committed waits until the read models show it, at half of the load that the ledger can carry.

Invariants: the peak is measured first, in the same slot; a commit counts from its answer, and is visible when the last read model that questions
about the present ask has told of its position (those that only the past asks rest on purpose, and are told beside); both times are of the
machine's one monotonic clock. Units: milliseconds. Errors: Spoilt, when nothing was told."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg

from projections import PROJECTIONS
from projections.crier import CHANNEL, told
from scripts.benchmarks import appending
from scripts.benchmarks.client import Played
from scripts.benchmarks.scene import Scene
from scripts.benchmarks.slot import Measured, Slot, tallied

CONNECTIONS = 32
EAR_S = 0.05  # how long one look for news may take
SHARE = 0.5  # of the peak
LULL_S = 0.2  # behind the peak, so that its end is not counted: followers rest from it once more


@contextmanager
def at_half_load(scene: Scene) -> Iterator[Slot]:
    """Appends that do not wait, at half of the peak, and when they were seen."""
    port, asked = scene.product, appending.steps(scene, waits=False)

    def slot(slot_s: float) -> Measured:
        peak = scene.load.play(port, asked, connections=CONNECTIONS, slot_s=slot_s / 2).measured
        scene.caught_up()
        time.sleep(LULL_S)
        with _heard(scene.dsn) as news:
            rate = SHARE * peak.rate
            played = scene.load.play(
                port, asked, connections=CONNECTIONS, slot_s=slot_s, rate=rate, tells=True
            )
            scene.caught_up()
            time.sleep(2 * EAR_S)  # the last news is on its way
        measured = _waited(news, played, slot_s, past=False)
        past = _waited(news, played, slot_s, past=True)
        beside = dict(played.measured.beside) | {
            "peak": peak.rate,
            "append_p50_ms": played.measured.p50_ms or 0.0,
            "past_p50_ms": past.p50_ms or 0.0,
            "past_p99_ms": past.p99_ms or 0.0,
        }
        return replace(measured, rate=played.measured.rate, beside=beside)

    yield slot


def _waited(news: _News, played: Played, slot_s: float, *, past: bool) -> Measured:
    waited_s = [max(0.0, news.seen_at(position, past=past) - at) for at, position in played.told]
    return tallied(waited_s, [], slot_s, slot_s)


class _News:
    """When each read model told of which position."""

    def __init__(self) -> None:
        self.ending = threading.Event()
        self.listening = threading.Event()
        self._told: dict[str, list[tuple[int, float]]] = {one.name: [] for one in PROJECTIONS}

    def hear(self, dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            self.listening.set()
            while not self.ending.is_set():
                for notice in connection.notifies(timeout=EAR_S):
                    now = time.perf_counter()
                    name, position = told(notice.payload)
                    self._told[name].append((position, now))

    def seen_at(self, position: int, *, past: bool) -> float:
        """When the last read model of the present had it; `past`: the last of all."""
        asked = [one.name for one in PROJECTIONS if past or not one.past]
        return max(self._first(self._told[name], position) for name in asked)

    @staticmethod
    def _first(told: list[tuple[int, float]], position: int) -> float:
        # A notice may be lost; the next one tells of more, and the end was waited for.
        index = bisect_left(told, (position, 0.0))
        return told[index][1] if index < len(told) else told[-1][1] if told else float("inf")


@contextmanager
def _heard(dsn: str) -> Iterator[_News]:
    news = _News()
    hearing = threading.Thread(target=news.hear, args=(dsn,), name="news", daemon=True)
    hearing.start()
    news.listening.wait(10)
    try:
        yield news
    finally:
        news.ending.set()
        hearing.join()
