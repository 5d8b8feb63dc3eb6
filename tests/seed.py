"""A seed: one bug against which a promise guards, as a change of our source, and the test that must turn red with it.

Invariants: it is sown into what a process reads, and into nothing on disk. Errors: none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Change:
    """In each file of the pattern that holds `old`, `new` stands instead."""

    files: str
    old: str
    new: str

    def places(self) -> Iterator[Path]:
        """The files that it changes."""
        for path in sorted(CHECKOUT.glob(self.files)):
            if self.old in path.read_text(encoding="utf-8"):
                yield path


@dataclass(frozen=True, slots=True)
class Seed:
    """One bug. `red`: the test that catches it, as pytest names it. `shows`: a regular expression found in what pytest then says."""

    name: str
    promise: str
    bug: str
    changes: tuple[Change, ...]
    red: str
    shows: str
    short: bool = False
