"""A slot: one contestant at work for a moment, and what came of it.

Invariants: a contestant is opened once and then called once a slot, so that connections, plans and caches are as warm as in use.
Units: rates are things per second, latencies milliseconds. Errors: Spoilt, when what was measured does not count; Skipped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.benchmarks.scene import Scene


class Spoilt(Exception):
    """A slot whose figure does not count: something was refused, lost or not done."""


class Skipped(Exception):
    """A contestant that cannot be had here; the others are measured without it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one slot gave. `beside` holds further figures, shown in --json; a goal may be about one of them."""

    rate: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    beside: dict[str, float] = field(default_factory=dict)

    def figure(self, measure: str) -> float:
        """One of the three, or one of those beside them."""
        found = {"rate": self.rate, "p50_ms": self.p50_ms, "p99_ms": self.p99_ms, **self.beside}
        figure = found.get(measure)
        assert figure is not None, f"There is no {measure}."
        return figure


def tallied(times_s: list[float], late_s: list[float], slot_s: float, took_s: float) -> Measured:
    """The figures of answers that came within the slot; of the late ones, when it was too short for a single answer."""
    counted, lasted_s = (times_s, slot_s) if times_s else (late_s, took_s)
    if not counted:
        raise Spoilt("Nothing was answered.")
    counted = sorted(counted)
    p50_s, p99_s = counted[len(counted) // 2], counted[len(counted) * 99 // 100]
    return Measured(len(counted) / lasted_s, p50_s * 1000, p99_s * 1000)


Slot = Callable[[float], Measured]


@dataclass(frozen=True, slots=True)
class Contestant:
    """Someone to measure. `of` is what the rate counts; one with `whole` does a whole piece of work whatever the slot, and needs no warming."""

    title: str
    of: str
    enter: Callable[[Scene], AbstractContextManager[Slot]]
    whole: bool = False
