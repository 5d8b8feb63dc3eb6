"""The form of a question about jobs: all that the text of its statement depends on, and none of its values.

Invariants: immutable and hashable, so that a text is made once for each shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from projections.total import Way


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition, less its values: they are the parameters c0, or c0_0, c0_1 and so on for one at a time. `many`: any may match."""

    nth: int
    operator: str
    column: str
    many: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """One column of an order. `nth`: which of the cursor's values is the column's; None: it follows from the cursor's number."""

    column: str
    descending: bool
    nth: int | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a question that the text of its statement depends on. `split`: the clause that is asked one value at a time, and how many."""

    clauses: tuple[Clause, ...]
    order: tuple[Place, ...]
    window: Literal["start", "offset", "after"]
    total: Way
    split: tuple[int, int] | None = None
    columns: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
