"""The report of a run: one table for people, one document for programs.

Invariants: both say the same; figures are medians, the spread is that of the paired ratios. The table is plain text, as wide as its titles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from scripts.benchmarks.contest import Outcome, Terms
from scripts.benchmarks.goals import CONTESTANTS

HEADINGS = ("goal", "subject", "figure", "control", "figure", "ratio", "spread", "asked", "met")


def table(outcomes: Sequence[Outcome], machine: dict[str, Any], terms: Terms) -> str:
    """The table and the note under it."""
    rows = [HEADINGS, *(_row(outcome, terms) for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines += [
        "",
        *(
            f"{outcome.goal.name}, {outcome.goal.subject}: {outcome.fault or outcome.skipped}"
            for outcome in outcomes
            if outcome.fault or outcome.skipped
        ),
        _sentence(machine, terms),
    ]
    return "\n".join(line for line in lines)


def document(outcomes: Sequence[Outcome], machine: dict[str, Any], terms: Terms) -> str:
    """The same as JSON."""
    how = {"rounds": terms.rounds, "slot_s": terms.slot_s, "judged": terms.judged}
    return json.dumps(
        {"machine": machine, "how": how, "goals": [_entry(outcome, terms) for outcome in outcomes]},
        indent=2,
    )


def _row(outcome: Outcome, terms: Terms) -> tuple[str, ...]:
    goal = outcome.goal
    first = f"{goal.name} ({goal.number})"
    subject = CONTESTANTS[goal.subject].title
    control = "-" if goal.control is None else CONTESTANTS[goal.control].title
    if outcome.fault or outcome.skipped:
        verdict = "failed" if outcome.fault else "skipped"
        return (first, subject, "-", control, "-", "-", "-", goal.bar, verdict)
    verdict = ("met" if outcome.met else "NOT MET") if terms.judged and goal.is_judged else "-"
    return (
        first,
        subject,
        _figure(outcome.figure(outcome.subject), goal.measure),
        control,
        "-" if goal.control is None else _figure(outcome.figure(outcome.control), goal.measure),
        f"{outcome.ratio:.3g}",
        f"{min(outcome.ratios):.3g}-{max(outcome.ratios):.3g}",
        goal.bar,
        verdict,
    )


# What a measure's name ends with, and how its figures are shown.
_UNITS: Final = (("_ms", "{:.3g} ms"), ("_s", "{:.3g} s"), ("_mib", "{:.0f} MiB"))


def _figure(figure: float, measure: str) -> str:
    if measure == "rate":
        return f"{figure:,.0f}/s"
    shown = next((unit for ending, unit in _UNITS if measure.endswith(ending)), "{:g}")
    told = shown.format(figure)
    return told if measure in ("p50_ms", "p99_ms") else f"{told} ({measure})"


def _entry(outcome: Outcome, terms: Terms) -> dict[str, Any]:
    goal = outcome.goal
    entry: dict[str, Any] = {
        "name": goal.name,
        "goal": goal.number,
        "measure": goal.measure,
        "subject": _named(goal.subject),
        "control": None if goal.control is None else _named(goal.control),
        "at_least": goal.at_least,
        "at_most": goal.at_most,
        "fault": outcome.fault,
        "skipped": outcome.skipped,
    }
    if outcome.fault or outcome.skipped:
        return entry
    for side, slots in (("subject", outcome.subject), ("control", outcome.control)):
        if entry[side] is not None:
            entry[side] |= {
                "figure": outcome.figure(slots),
                "slots": [
                    {"rate": slot.rate, "p50_ms": slot.p50_ms, "p99_ms": slot.p99_ms, **slot.beside}
                    for slot in slots
                ],
            }
    entry |= {
        "ratio": outcome.ratio,
        "spread": [min(outcome.ratios), max(outcome.ratios)],
        "ratios": outcome.ratios,
    }
    return entry | {"met": outcome.met if terms.judged and goal.is_judged else None}


def _named(title: str) -> dict[str, Any]:
    contestant = CONTESTANTS[title]
    return {"name": title, "title": contestant.title, "of": contestant.of}


def _sentence(machine: dict[str, Any], terms: Terms) -> str:
    disk = machine["fdatasync_ms"]
    return (
        f"{machine['processors']} processors, {machine['system']}, PostgreSQL {machine['postgresql']}, Python {machine['python']},"
        f" load before {machine['load_before']};"
        f" fdatasync {disk['median']} ms ({disk['min']}-{disk['max']}), {machine['slots_on_a_restless_disk']} slots on a restless disk;"
        f" {terms.rounds} rounds of {terms.slot_s:g} s a contestant{'' if terms.judged else ', not judged'}."
    )
