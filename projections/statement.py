"""Statements: a question about jobs, as one SQL statement with its parameters.

Invariants: the one place that composes SQL; only names of FILTERS and SORTS become text, every value is a parameter; each order ends in the
job's number, so that pages are disjoint; the text depends on the question's shape alone and is kept. Errors: Invalid for a bad cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal, LiteralString, TypeAlias

from psycopg.sql import SQL, Composable, Identifier, Placeholder

from ledger import settings, sql
from projections import rivals, total
from projections.behind import values_of
from projections.columns import selected
from projections.filters import FILTERS, SORTS, Condition, Sort, Value
from projections.fixed import needed
from projections.form import Clause, Place, Shape, conditions
from projections.question import After, Offset, Query

# The comment that introduces a query is for people: it would only make the statements longer.
TEXTS: Final = MappingProxyType(
    {name: SQL(text.partition("\n")[2].strip()) for name, text in sql.load(__file__).items()}
)
Parameters: TypeAlias = dict[str, Any]
Name: TypeAlias = Literal["id", "number", "object"]

NAME_TYPES: Final = {"id": SQL("uuid"), "number": SQL("bigint"), "object": SQL("text")}
# Columns that stand before created_at in an index of their own.
LEADING: Final = frozenset(
    row.column for row in FILTERS.values() if row.index == f"project_{row.column}_created_at_number"
)
OFFSET_MAX: Final = 2**62  # PostgreSQL adds the limit to it in a bigint


def gathered(query: Query, columns: tuple[str, ...] = ()) -> tuple[bytes, Parameters]:
    """The statement for a page and one job more when there is another, so that the answer tells it, in one row: their numbers and versions, how far
    the read models are, the total, the values of the order of the page's last job, and these columns, each an array. It takes a %(sight)s, too."""
    text, values = _told(query, columns)
    return text, {**values, "exactly": settings.COUNT_EXACTLY_MAX}


@lru_cache(maxsize=settings.STATEMENTS_KEPT_MAX)
def _told(query: Query, columns: tuple[str, ...]) -> tuple[bytes, Parameters]:
    shape, values = _asked(replace(query, columns=columns))
    return _gathered(shape), values


def _asked(query: Query) -> tuple[Shape, Parameters]:
    values: Parameters = {"project": query.project, "limit": query.limit + 1}
    clauses = tuple(clauses_of(query.conditions, values))
    order = tuple(one for one in places(query.sort) if needed(query, one.column, one.nth))
    window: Literal["start", "offset", "after"] = "start"
    match query.window:
        case After() as after:
            window = "after"
            values |= values_of(after, query.sort)
        case Offset(rows=rows) if rows > 0:
            window = "offset"
            values["offset"] = min(rows, OFFSET_MAX)
    values["upto"] = values["limit"] + values.get("offset", 0)
    parted = split(clauses, order, values)
    sort = tuple(SORTS[one.column].column for one in query.sort)
    counting = total.way(query.conditions) if query.total else "untold"
    if counting == "spans":
        values |= total.values(query.conditions)
    competing = rivals.compete(query)
    return Shape(clauses, order, window, counting, parted, query.columns, sort, competing), values


def places(sort: tuple[Sort, ...]) -> tuple[Place, ...]:
    """The whole order that sort keys mean: without repeats, and with what orders equals."""
    order: dict[str, Place] = {}
    descending, then = False, None
    for nth, one in enumerate(sort):
        descending, then = one.descending, SORTS[one.column].then
        order.setdefault(SORTS[one.column].column, Place(SORTS[one.column].column, descending, nth))
    for column in (then, "number"):
        if column is not None:
            order.setdefault(column, Place(column, descending))
    return tuple(order.values())


def clauses_of(conditions: Iterable[Condition], values: Parameters) -> Iterable[Clause]:
    """Conditions, with their values among the parameters."""
    nth = 0
    for condition in conditions:
        asked = tuple(dict.fromkeys(condition.values))
        column, operator = condition.filter.column, condition.filter.operator
        # A bound that is given twice holds twice.
        groups: Iterable[tuple[Value, ...]] = (
            (asked,) if operator == "in" else ((value,) for value in asked)
        )
        for group in groups:
            many = len(group) != 1
            values[f"c{nth}"] = list(group) if many else group[0]
            yield Clause(nth, operator, column, many)
            nth += 1


def split(
    clauses: tuple[Clause, ...], order: tuple[Place, ...], values: Parameters
) -> tuple[int, int] | None:
    """Which clause to ask one value at a time: each value's own index range is in order already, and merging a few is cheap."""
    if order[0].column != "created_at":
        return None
    for clause in clauses:
        asked = values[f"c{clause.nth}"]
        if clause.many and clause.column in LEADING and 0 < len(asked) <= settings.BRANCHES_MAX:
            values |= {f"c{clause.nth}_{i}": value for i, value in enumerate(asked)}
            return clause.nth, len(asked)
    return None


@lru_cache(maxsize=settings.STATEMENTS_KEPT_MAX)
def _gathered(shape: Shape) -> bytes:
    columns = {f"c{nth}": selected((name,)) for nth, name in enumerate(shape.columns)}
    keys = {f"k{nth}": Identifier("j", name) for nth, name in enumerate(shape.sort)}
    return (
        TEXTS["gathered"]
        .format(
            reached=TEXTS["reached_both" if shape.total in total.APART else "reached"],
            told=each(", p.{name}", keys | columns),
            gathered=each(", (array_agg(w.{name}))[%(limit)s::integer - 1] AS {name}", keys)
            + each(", array_agg(w.{name}) AS {name}", columns),
            selected=each(", {of} AS {name}", keys | columns),
            window=_window(shape, () if shape.columns else ("number", "version", *shape.sort)),
            order=_order_by(shape.order, "j"),
            total=rivals.text(shape.clauses)
            if shape.rivals
            else total.text(shape.total, shape.clauses),
        )
        .as_bytes()
    )


def each(text: LiteralString, named: Mapping[str, Composable]) -> Composable:
    """A text for each of what is selected under these names: `name` is its place in it, and `of` that of what it stands for."""
    told = (SQL(text).format(name=Identifier(name), of=of) for name, of in named.items())
    return SQL("").join(told)


def _window(shape: Shape, wanted: Iterable[str] = ()) -> Composable:
    """The jobs of the window: whole rows, or no more than the columns that are wanted, and those of the order."""
    behind = [behind_in(shape.order)] if shape.window == "after" else []
    names = [place.column for place in shape.order]
    keys = SQL(", ").join(map(Identifier, names))
    named = SQL(", ").join(map(Identifier, dict.fromkeys((*names, *wanted))))
    columns = keys if shape.window == "offset" else named if wanted else SQL("*")
    return TEXTS["walk" if shape.window == "offset" else "straight"].format(
        keys=keys, matching=_matching(shape, columns, behind), order=_order_by(shape.order)
    )


def _matching(shape: Shape, columns: Composable, behind: list[Composable]) -> Composable:
    branches = _branches(shape)
    if not branches:
        return TEXTS["matching"].format(
            columns=columns, conditions=SQL(" AND ").join([*conditions(shape.clauses), *behind])
        )
    return SQL(" UNION ALL ").join(
        TEXTS["branch"].format(
            columns=columns,
            conditions=SQL(" AND ").join([*one, *behind]),
            order=_order_by(shape.order, "j"),
        )
        for one in branches
    )


def _branches(shape: Shape) -> list[list[Composable]]:
    """What a job must meet in each of the walks that are merged: one for each value of the clause that is split, or for each rival."""
    if shape.rivals:
        return [rivals.walk(shape.clauses, nth, "h") for nth in range(len(shape.clauses))]
    if shape.split is None:
        return []
    nth, count = shape.split
    [split] = [one for one in shape.clauses if one.nth == nth]
    others = conditions(one for one in shape.clauses if one is not split)
    column = Identifier("j", split.column)
    return [
        [*others, SQL("{} = {}").format(column, Placeholder(f"c{nth}_{value}"))]
        for value in range(count)
    ]


@lru_cache(maxsize=len(NAME_TYPES))
def called(column: Name) -> bytes:
    """The statement for the jobs of %(project)s that %(names)s are ids, numbers or objects of: at most %(limit)s."""
    text = TEXTS["called"].format(
        columns=selected(()), type=NAME_TYPES[column], column=Identifier(column)
    )
    return text.as_bytes()


@lru_cache(maxsize=1)
def by_id() -> bytes:
    """The statement for the jobs that have %(ids)s and are of the projects in %(sight)s."""
    return TEXTS["by_id"].format(columns=selected(())).as_bytes()


@lru_cache(maxsize=settings.STATEMENTS_KEPT_MAX)
def by_number(columns: tuple[str, ...]) -> bytes:
    """The statement for these columns of the jobs of %(project)s that have %(numbers)s, if it is in %(sight)s."""
    return TEXTS["by_number"].format(columns=selected(columns)).as_bytes()


@lru_cache(maxsize=1)
def tally() -> bytes:
    """The statement for the counters of %(project)s, if it is in %(sight)s."""
    return TEXTS["tally"].format(reached=TEXTS["reached"]).as_bytes()


def _order_by(order: tuple[Place, ...], table: str = "m") -> Composable:
    return SQL(", ").join(
        SQL("{} DESC" if place.descending else "{}").format(Identifier(table, place.column))
        for place in order
    )


def behind_in(
    order: tuple[Place, ...],
    column: Callable[[str], Composable] = lambda name: Identifier("j", name),
) -> Composable:
    """Rows behind the cursor. One comparison of rows when all columns run one way: an index then begins right there."""
    columns = [column(place.column) for place in order]
    values = [_cursor_value(place) for place in order]
    signs = [SQL("<" if place.descending else ">") for place in order]
    if len({place.descending for place in order}) == 1:
        left, right = SQL(", ").join(columns), SQL(", ").join(values)
        return SQL("({}) {} ({})").format(left, signs[0], right)
    alternatives = []
    for nth in range(len(order)):
        equal = [SQL("{} = {}").format(columns[i], values[i]) for i in range(nth)]
        beyond = SQL("{} {} {}").format(columns[nth], signs[nth], values[nth])
        alternatives.append(SQL("({})").format(SQL(" AND ").join([*equal, beyond])))
    # The first column alone says where an index may begin.
    start = SQL("{} {}= {}").format(columns[0], signs[0], values[0])
    return SQL("{} AND ({})").format(start, SQL(" OR ").join(alternatives))


def _cursor_value(place: Place) -> Composable:
    if place.column == "number":
        return Placeholder("after")
    if place.nth is not None:
        return Placeholder(f"k{place.nth}")
    return SQL(
        "(SELECT {} FROM projections.jobs k WHERE k.project = %(project)s AND k.number = %(after)s)"
    ).format(Identifier("k", place.column))
