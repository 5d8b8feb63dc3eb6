"""Statements about the past: a question as of a position, as one SQL statement with its parameters.

Invariants: as for `statement`: only names of FILTERS and SORTS become text, every value is a parameter, each order ends in the job's number. What
changes in a job's life is asked of the last revision that counts, the rest of the job itself. Errors: Invalid for a bad cursor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from psycopg.sql import SQL, Composable, Identifier, Placeholder

from ledger import settings, sql
from ledger.job import Outcome, Phase, State
from ledger.past import AsOf
from projections import statement
from projections.behind import values_of
from projections.filters import Condition
from projections.question import After, Offset, Query
from projections.statement import Clause, Name, Parameters, Place

SQLS: Final = sql.load(__file__)
TEXTS: Final = MappingProxyType(
    {name: SQL(text.partition("\n")[2].strip()) for name, text in SQLS.items()}
)

_FAILED: Final = (Outcome.REJECTED, Outcome.INCOMPLETE, Outcome.EXHAUSTED, Outcome.FAILED)
_FAILURES: Final = frozenset({Outcome.RETRYING, *_FAILED})
# What a state or a phase is made of.
OUTCOMES: Final[Mapping[str, Mapping[str, tuple[Outcome, ...]]]] = MappingProxyType(
    {
        "state": {
            **{one.value: (Outcome(one.value),) for one in State if one is not State.FAILED},
            State.FAILED.value: (Outcome.RETRYING, *_FAILED),
        },
        "phase": {
            Phase.ACKNOWLEDGED.value: (Outcome.CREATED, Outcome.QUEUED),
            Phase.IN_PROGRESS.value: (Outcome.PROCESSING, Outcome.RETRYING),
            Phase.COMPLETED.value: (Outcome.SUCCEEDED,),
            Phase.FAILED.value: (*_FAILED, Outcome.CANCELED),
        },
    }
)


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a question that the text of its statement depends on."""

    clauses: tuple[Clause, ...]
    order: tuple[Place, ...]
    behind: bool
    total: bool
    happened: bool
    few: bool = False


def few(query: Query, then: AsOf) -> tuple[bytes, Parameters] | None:
    """The statement that counts the jobs in the states asked for, if that may be a short way to them: not further than PAST_FEW_MAX."""
    if then.happened is not None or not (states := _states(query)):
        return None
    values = _values(query.project, then) | {"states": states, "few": settings.PAST_FEW_MAX + 1}
    return TEXTS["few"].format(stays=TEXTS["stays"]).as_bytes(), values


def _states(query: Query) -> list[str]:
    """The states that the jobs asked for can be in; none when all can."""
    found: set[str] = set()
    for condition in map(_in_outcomes, query.conditions):
        if condition.filter.column == "outcome":
            known = {str(value) for value in condition.values} & set(Outcome)
            states = {"Failed" if one in _FAILURES else one for one in known} or {""}
            found = found & states or {""} if found else states
    return sorted(found)


def page(query: Query, then: AsOf, *, few: bool = False) -> tuple[bytes, Parameters]:
    """The statement for one job more than a page, so that the answer tells whether there is a next one. `few`: by the states asked for."""
    values = _values(query.project, then)
    values |= {"limit": query.limit + 1, "offset": 0}
    clauses = tuple(statement.clauses_of(map(_in_outcomes, query.conditions), values))
    match query.window:
        case After() as after:
            values |= values_of(after, query.sort)
        case Offset(rows=rows):
            values["offset"] = min(rows, statement.OFFSET_MAX)
    behind = isinstance(query.window, After)
    order = statement.places(query.sort)
    if few:
        values["states"] = _states(query)
    happened = then.happened is not None
    return _page(Shape(clauses, order, behind, query.total, happened, few)), values


def called(column: Name, project: str, then: AsOf) -> tuple[bytes, Parameters]:
    """The statement for the jobs of a project that %(names)s are ids, numbers or objects of: at most %(limit)s."""
    return _called(column, then.happened is not None), _values(project, then)


def tally(project: str, then: AsOf) -> tuple[bytes, Parameters]:
    """The statement for the counts of a project."""
    return _tally(then.happened is not None), _values(project, then)


def _values(project: str, then: AsOf) -> Parameters:
    return {"project": project, "position": then.position, "happened": then.happened}


def _in_outcomes(condition: Condition) -> Condition:
    """A condition on a state or a phase, as one on what it is made of."""
    parts = OUTCOMES.get(condition.filter.column)
    if parts is None:
        return condition
    made_of = tuple(one.value for value in condition.values for one in parts.get(str(value), ()))
    return Condition(replace(condition.filter, column="outcome"), made_of)


@lru_cache(maxsize=512)
def _page(shape: Shape) -> bytes:
    first = shape.order[0].column
    way = "stab" if shape.few else "touch" if first == "updated_at" else "walk"
    jobs = _jobs(way, shape.happened)
    conditions = [SQL("j.project = %(project)s"), *map(_condition, shape.clauses)]
    if way == "walk" and not shape.happened and first in ("created_at", "number"):
        # No more than what the index is walked by: a second bound would look so narrow that all within were sorted.
        conditions.append(_bounded(first))
    total = _total(shape, jobs, SQL(" AND ").join(conditions))
    if shape.behind:
        conditions.append(statement.behind_in(shape.order, _column))
    keys = [
        SQL("{} AS {}").format(_column(place.column), Identifier(f"o{nth}"))
        for nth, place in enumerate(shape.order)
    ]
    window = TEXTS["window"].format(
        keys=SQL(", ").join(keys),
        jobs=jobs,
        conditions=SQL(" AND ").join(conditions),
        order=_order([_column(place.column) for place in shape.order], shape.order),
    )
    order = _order([Identifier("w", f"o{nth}") for nth in range(len(shape.order))], shape.order)
    return (
        TEXTS["list"]
        .format(reached=TEXTS["reached"], total=total, window=window, order=order)
        .as_bytes()
    )


@lru_cache(maxsize=6)
def _called(column: Name, happened: bool) -> bytes:
    return (
        TEXTS["called"]
        .format(
            reached=TEXTS["reached"],
            type=statement.NAME_TYPES[column],
            jobs=_jobs("walk", happened),
            column=Identifier(column),
        )
        .as_bytes()
    )


@lru_cache(maxsize=2)
def _tally(happened: bool) -> bytes:
    return (
        TEXTS["tally"]
        .format(reached=TEXTS["reached"], state=TEXTS["state"], jobs=_jobs("walk", happened))
        .as_bytes()
    )


def _total(shape: Shape, jobs: Composable, conditions: Composable) -> Composable:
    if not shape.total:
        return SQL("NULL::bigint")
    if not shape.clauses and not shape.happened:
        return TEXTS["peopled"].format(births=TEXTS["births"])
    return TEXTS["total"].format(jobs=jobs, conditions=conditions)


def _bounded(column: str) -> Composable:
    name = column.partition("_")[0]
    return TEXTS["bounded"].format(
        column=Identifier(column),
        births=TEXTS["births"],
        least=Identifier(f"{name}_from"),
        most=Identifier(f"{name}_to"),
    )


def _jobs(way: str, happened: bool) -> Composable:
    """Where jobs come from, as `j`, each with the revision that counts, as `r`."""
    nothing = SQL("")
    return TEXTS[way].format(
        happened=TEXTS["happened"] if happened else nothing,
        later_happened=TEXTS["later_happened"] if happened else nothing,
        stays=TEXTS["stays"],
    )


def _column(name: str) -> Composable:
    if name in ("state", "phase"):
        return TEXTS[name]
    return Identifier("r" if name in ("outcome", "updated_at") else "j", name)


def _condition(clause: Clause) -> Composable:
    value = Placeholder(f"c{clause.nth}")
    if clause.many:
        return SQL("{} = ANY({})").format(_column(clause.column), value)
    return SQL("{} {} {}").format(
        _column(clause.column), statement.OPERATORS[clause.operator], value
    )


def _order(columns: list[Composable], places: tuple[Place, ...]) -> Composable:
    return SQL(", ").join(
        SQL("{} DESC" if place.descending else "{}").format(column)
        for column, place in zip(columns, places, strict=True)
    )
