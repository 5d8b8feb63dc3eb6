"""The form of a question about jobs: all that the text of its statement depends on, and none of its values.

Invariants: immutable and hashable, so that a text is made once for each shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from psycopg.sql import SQL, Composable, Identifier, Placeholder

# What knows a total. kinds: counters by state, type and command; spans: those of creation times; rows: jobs.
Way: TypeAlias = Literal["untold", "kinds", "spans", "rows"]

PROJECT: Final = SQL("j.project = %(project)s")
OPERATORS: Final = MappingProxyType({"in": SQL("="), ">=": SQL(">="), "<=": SQL("<=")})


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition, less its values: they are the parameters c0, or c0_0, c0_1 and so on for one at a time. `many`: any may match."""

    nth: int
    operator: str
    column: str
    many: bool = False

    def of(self, column: Composable) -> Composable:
        """The condition, of what stands for the column."""
        value = Placeholder(f"c{self.nth}")
        if self.many:
            return SQL("{} = ANY({})").format(column, value)
        return SQL("{} {} {}").format(column, OPERATORS[self.operator], value)


@dataclass(frozen=True, slots=True)
class Place:
    """One column of an order. `nth`: which of the cursor's values is the column's; None: it follows from the cursor's number."""

    column: str
    descending: bool
    nth: int | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a question that the text of its statement depends on. `split`: the clause that is asked one value at a time, and how many; `rivals`:
    whether the index of one of the clauses is walked, and which one counters tell."""

    clauses: tuple[Clause, ...]
    order: tuple[Place, ...]
    window: Literal["start", "offset", "after"]
    total: Way
    split: tuple[int, int] | None = None
    columns: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    rivals: bool = False


def conditions(clauses: Iterable[Clause]) -> list[Composable]:
    """What a row of jobs, which goes by the name `j`, must meet."""
    return [PROJECT, *(one.of(Identifier("j", one.column)) for one in clauses)]
