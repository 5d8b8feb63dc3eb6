"""A contest: the contestants of one goal in alternate slots, round after round, and the ratios of those that ran side by side.

Invariants: every round has one slot of each (A B A B), and only slots of one round are compared, since disks and machines have spells; who breaks
down spoils nobody else's; the figure given is the median. Before a slot the disk is calm, or was waited for. Units: seconds."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg

from ledger.errors import LedgerError
from scripts.benchmarks.child import ChildFailed
from scripts.benchmarks.disk import Disk
from scripts.benchmarks.goals import CONTESTANTS, GOALS, Goal
from scripts.benchmarks.scene import Ground, scene_on
from scripts.benchmarks.slot import Measured, Skipped, Slot, Spoilt

Figures = dict[str, list[Measured]]

# What may befall a contestant; anything else is a mistake of ours.
_BREAKS_DOWN = (Spoilt, ChildFailed, LedgerError, psycopg.Error)


@dataclass(frozen=True, slots=True)
class Terms:
    """How it is run. `judged`: whether a ratio is held against its goal; a short form is not."""

    rounds: int
    slot_s: float
    judged: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one goal: the subject's figures and the control's, slot by slot. `fault`: why there are none; `skipped`: why none could be."""

    goal: Goal
    ratios: tuple[float, ...] = ()
    subject: tuple[Measured, ...] = ()
    control: tuple[Measured, ...] = ()
    fault: str | None = None
    skipped: str | None = None

    @property
    def ratio(self) -> float:
        """The median of the paired ratios; of the figures themselves where there is no control."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool:
        """Whether the goal is reached. What is only told, or skipped, is not missed."""
        return self.skipped is not None or (self.fault is None and self.goal.met(self.ratio))

    def figure(self, side: Sequence[Measured]) -> float:
        """The median figure of one side."""
        return statistics.median(measured.figure(self.goal.measure) for measured in side)


def held(name: str, ground: Ground, disk: Disk, terms: Terms) -> Iterator[Outcome]:
    """Run the contest of this name: the outcome of each of its goals."""
    goals = [goal for goal in GOALS if goal.name == name]
    titles = dict.fromkeys(title for goal in goals for title in goal.contestants)
    try:
        figures, skipped, faults = _figures(tuple(titles), ground, disk, terms)
    except Exception as error:  # noqa: BLE001 - whatever befalls one contest, the others are held
        fault = str(error) if isinstance(error, _BREAKS_DOWN) else repr(error)
        yield from (Outcome(goal, fault=fault) for goal in goals)
        return
    for goal in goals:
        if missing := [skipped[title] for title in goal.contestants if title in skipped]:
            yield Outcome(goal, skipped=missing[0])
            continue
        if broken := [faults[title] for title in goal.contestants if title in faults]:
            yield Outcome(goal, fault=broken[0])
            continue
        subject = figures[goal.subject]
        control = [] if goal.control is None else figures[goal.control]
        yield Outcome(goal, _ratios(goal, subject, control), tuple(subject), tuple(control))


def _ratios(
    goal: Goal, subject: Sequence[Measured], control: Sequence[Measured]
) -> tuple[float, ...]:
    figures = [one.figure(goal.measure) for one in subject]
    if goal.control is None:
        return tuple(figures)
    pairs = zip(figures, control, strict=True)
    return tuple(ours / theirs.figure(goal.measure) for ours, theirs in pairs)


def _figures(
    titles: Sequence[str], ground: Ground, disk: Disk, terms: Terms
) -> tuple[Figures, dict[str, str], dict[str, str]]:
    """The figures of each contestant; of those who cannot be had, why; and of those who broke down, how."""
    skipped: dict[str, str] = {}
    faults: dict[str, str] = {}
    slots: dict[str, Slot] = {}
    with scene_on(ground) as scene, ExitStack() as stack:
        for title in titles:
            try:
                slots[title] = stack.enter_context(CONTESTANTS[title].enter(scene))
            except Skipped as reason:
                skipped[title] = str(reason)
            except _BREAKS_DOWN as error:
                faults[title] = str(error)
        figures: Figures = {title: [] for title in slots}
        for title, slot in slots.items():
            if not CONTESTANTS[title].whole:
                _play(slot, terms.slot_s / 2, title, faults)
        for _ in range(terms.rounds):
            for title, slot in slots.items():
                if title not in faults:
                    disk.calm()
                    figures[title] += _play(slot, terms.slot_s, title, faults)
    return figures, skipped, faults


def _play(slot: Slot, slot_s: float, title: str, faults: dict[str, str]) -> list[Measured]:
    """One slot; where it breaks down nothing, and its fault is noted: the others go on without it."""
    try:
        return [slot(slot_s)]
    except _BREAKS_DOWN as error:
        faults[title] = str(error)
        return []
