"""Rivals: several filters of one question that counters count, of which the one that leaves the fewest jobs has its index walked.

Invariants: pure; the counters that tell the question's total tell which one that is, in the same statement, so that its plan can be kept whatever the
values are: it holds a walk for each of them, and all but one are never begun. To plan such a question for its values takes longer than to
answer it. Counters that lag make it slower, and no answer wrong."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from psycopg.sql import SQL, Composable, Identifier, Literal

from ledger import sql
from projections import total
from projections.form import Clause, conditions
from projections.question import Offset, Query

# The comment that introduces a query is for people.
_TEXTS: Final = MappingProxyType(
    {name: SQL(text.partition("\n")[2].strip()) for name, text in sql.load(__file__).items()}
)
_AND: Final = SQL(" AND ")


def compete(query: Query) -> bool:
    """Whether each of a question's filters has an index in its order, and counters know how many jobs each of them leaves."""
    if not query.total or query.as_of is not None or total.way(query.conditions) != "kinds":
        return False
    if [one.column for one in query.sort] != ["created"]:
        return False
    if isinstance(query.window, Offset) and query.window.rows > 0:
        return False
    columns = {one.filter.column for one in query.conditions}
    return 1 < len(columns) == len(query.conditions) and all(
        len(one.values) == 1 for one in query.conditions
    )


def text(clauses: Sequence[Clause]) -> Composable:
    """The total as `total.text` has it, and beside it which clause leaves the `fewest` jobs, from 1."""
    rows = (
        _TEXTS["rows"].format(conditions=_AND.join(walk(clauses, nth, "c")))
        for nth in range(len(clauses))
    )
    each = [Identifier("n", f"n{nth}") for nth in range(len(clauses))]
    return _TEXTS["total"].format(
        rows=SQL(" UNION ALL ").join(rows),
        counts=SQL("").join(
            SQL(", {} AS {}").format(_count([one]), Identifier(f"n{nth}"))
            for nth, one in enumerate(clauses)
        ),
        count=_count(clauses),
        each=SQL(", ").join(each),
    )


def walk(clauses: Sequence[Clause], nth: int, known: str) -> list[Composable]:
    """What a job must meet when the nth clause is the one whose index is walked: the others are tried on what it finds, and say nothing to an index.
    `known`: what knows which one leaves the fewest."""
    fewest = SQL("{} = {}").format(Identifier(known, "fewest"), Literal(nth + 1))
    tried = (
        SQL("({}) IS TRUE").format(one.of(Identifier("j", one.column)))
        for one in clauses
        if one is not clauses[nth]
    )
    return [fewest, *conditions([clauses[nth]]), *tried]


def _count(clauses: Sequence[Clause]) -> Composable:
    """How many jobs some clauses leave."""
    met = [one.of(Identifier("j", one.column)) for one in clauses if one.column != "state"]
    return _TEXTS["count"].format(
        counted=total.counted(clauses), met=_AND.join(met) if met else SQL("true")
    )
