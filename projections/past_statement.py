"""Statements about the past: a question as of a position, as one SQL statement with its parameters.

Invariants: as for `statement`: only names of FILTERS and SORTS become text, every value is a parameter, each order ends in the job's number. A job
that has not changed since is asked as it is now; of any other, what changes in its life is asked of the last revision that counts. Each job comes
out of one branch alone. Errors: Invalid for a bad cursor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from psycopg.sql import SQL, Composable, Identifier, Placeholder

from ledger import settings, sql
from ledger.past import AsOf
from projections import past_total, past_way, statement, total
from projections.behind import values_of
from projections.columns import selected
from projections.filters import SORTS
from projections.fixed import needed
from projections.form import OPERATORS, PROJECT, Clause, Place
from projections.past_way import OUTCOMES, Way
from projections.question import After, Offset, Query
from projections.statement import Name, Parameters, each
from projections.stood import stood

SQLS: Final = sql.load(__file__)
TEXTS: Final = MappingProxyType(
    {name: SQL(text.partition("\n")[2].strip()) for name, text in SQLS.items()}
)

# What a creation says was the last of a column then.
_MOST: Final = MappingProxyType({"created_at": "created_to", "number": "number_to", "id": "id_to"})
_STOOD: Final = stood(TEXTS["state"], TEXTS["phase"])


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a question that the text of its statement depends on. `parted`: the clause that is asked one value at a time, and how many."""

    clauses: tuple[Clause, ...]
    order: tuple[Place, ...]
    behind: bool
    total: past_total.Way
    way: Way
    happened: bool
    parted: tuple[int, int] | None = None
    columns: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    seeing: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """One kind of jobs that a question is about: where they come from, what holds of them beside its clauses, and whether they stand as now."""

    jobs: Composable
    conditions: tuple[Composable, ...] = ()
    settled: bool = False
    part: int | None = None


def few(query: Query, then: AsOf) -> tuple[bytes, Parameters] | None:
    """The statement that counts the jobs on the way that is short if they are few: not further than `past_way.few_max`."""
    found = past_way.way(query, then)
    if found not in ("split", "stab"):
        return None
    values = _values(query.project, then)
    values |= {"states": past_way.states(query), "few": past_way.few_max(found) + 1}
    return _few(found), values


def gathered(
    query: Query,
    then: AsOf,
    columns: tuple[str, ...] = (),
    *,
    few: bool = False,
    seeing: bool = False,
) -> tuple[bytes, Parameters]:
    """The statement for a page and one job more, in one row: numbers, versions then and now, how far the read models are, the total, the values of
    its last job's order, and these columns, or else the positions of the revisions that count. `few`: by `past_way.way`. `seeing`: with %(sight)s."""
    values = _values(query.project, then)
    values |= {"limit": query.limit + 1, "offset": 0, "states": past_way.states(query)}
    clauses = tuple(statement.clauses_of(query.conditions, values))
    for clause in clauses:
        if parts := OUTCOMES.get(clause.column):
            asked = values[f"c{clause.nth}"] if clause.many else [values[f"c{clause.nth}"]]
            values[f"d{clause.nth}"] = [one for word in asked for one in parts.get(word, ())]
    match query.window:
        case After() as after:
            values |= values_of(after, query.sort)
        case Offset(rows=rows):
            values["offset"] = min(rows, statement.OFFSET_MAX)
    values["upto"] = values["limit"] + values["offset"]
    places = statement.places(query.sort)
    order = tuple(one for one in places if needed(query, one.column, one.nth))
    going = past_way.way(query, then) if few else past_way.plain(query)
    parted = statement.split(clauses, order, values) if going == "split" else None
    behind, happened = isinstance(query.window, After), then.happened is not None
    sort = tuple(SORTS[one.column].column for one in query.sort)
    counting = past_total.way(query)
    if counting == "spans":
        values |= past_total.values(query)
    shape = Shape(clauses, order, behind, counting, going, happened, parted, columns, sort, seeing)
    return _gathered(shape), values


def called(column: Name, project: str, then: AsOf) -> tuple[bytes, Parameters]:
    """The statement for the jobs of a project that %(names)s are ids, numbers or objects of: at most %(limit)s."""
    return _called(column, then.happened is not None), _values(project, then)


def tally(project: str, then: AsOf) -> tuple[bytes, Parameters]:
    """The statement for the counts of a project."""
    return _tally(then.happened is not None), _values(project, then)


def _values(project: str, then: AsOf) -> Parameters:
    stood = then.position // settings.COUNTS_STRETCH * settings.COUNTS_STRETCH
    return {
        "project": project,
        "position": then.position,
        "happened": then.happened,
        "stood": stood,
    }


@lru_cache(maxsize=2)
def _few(way: Way) -> bytes:
    stays = TEXTS["left"] if way == "split" else TEXTS["stays"].format(left=TEXTS["left"])
    return TEXTS["few"].format(stays=stays).as_bytes()


@lru_cache(maxsize=settings.STATEMENTS_KEPT_MAX)
def _gathered(shape: Shape) -> bytes:
    columns = {f"c{nth}": selected((name,)) for nth, name in enumerate(shape.columns)}
    columns = columns or {"position": Identifier("r", "position")}
    keys = {f"k{nth}": Identifier("r", f"k{nth}") for nth in range(len(shape.sort))}
    window = TEXTS["window"].format(
        branches=SQL(" UNION ALL ").join(_first_of(shape, one) for one in _branches(shape)),
        order=_order([Identifier(f"o{nth}") for nth in range(len(shape.order))], shape.order),
    )
    order = _order([Identifier("r", f"o{nth}") for nth in range(len(shape.order))], shape.order)
    return (
        TEXTS["gathered"]
        .format(
            seen=TEXTS["seen" if shape.seeing else "saw"],
            reached=TEXTS["reached"],
            total=_total(shape),
            told=each(", g.{name}", keys | columns),
            gathered=each(", (array_agg(p.{name}))[%(limit)s::integer - 1] AS {name}", keys)
            + each(", array_agg(p.{name}) AS {name}", columns),
            selected=each(", {of} AS {name}", keys | columns),
            window=window,
            stood=SQL(" CROSS JOIN LATERAL {} j").format(_STOOD) if shape.columns else SQL(""),
            order=order,
        )
        .as_bytes()
    )


def _branches(shape: Shape) -> list[Branch]:
    """Where the jobs that a question is about come from: each from one of them."""
    walk = TEXTS["walk_happened" if shape.happened else "walk"]
    match shape.way:
        case "walk":
            return [Branch(walk, () if shape.happened else (_bounded(shape),))]
        case "touch" if shape.happened:
            return [Branch(TEXTS["touch_happened"], (TEXTS["until"], TEXTS["happened"]))]
        case "touch":
            bounds = (TEXTS[one].format(recorded=TEXTS["recorded"]) for one in ("on_time", "ahead"))
            return [Branch(TEXTS["touch"], (TEXTS["until"], bound)) for bound in bounds]
        case "split":
            parts = range(shape.parted[1]) if shape.parted else (None,)
            settled = (TEXTS["settled"], _bounded(shape))
            gone = TEXTS["gone"].format(left=TEXTS["left"])
            return [
                *(Branch(walk, settled, settled=True, part=part) for part in parts),
                Branch(gone, (TEXTS["moved"],)),
            ]
        case "stab":
            stays = TEXTS["stays"].format(left=TEXTS["left"])
            return [Branch(TEXTS["stab"].format(stays=stays))]


def _first_of(shape: Shape, branch: Branch) -> Composable:
    def column(name: str) -> Composable:
        return _column(name, settled=branch.settled)

    columns = [column(place.column) for place in shape.order]
    conditions = _conditions(shape, branch)
    if shape.behind:
        conditions.append(statement.behind_in(shape.order, column))
    keys = [SQL("{} AS {}").format(one, Identifier(f"o{nth}")) for nth, one in enumerate(columns)]
    keys += [
        SQL("{} AS {}").format(column(name), Identifier(f"k{nth}"))
        for nth, name in enumerate(shape.sort)
    ]
    return TEXTS["branch"].format(
        keys=SQL(", ").join(keys),
        jobs=branch.jobs,
        conditions=SQL(" AND ").join(conditions),
        order=_order(columns, shape.order),
    )


def _conditions(shape: Shape, branch: Branch) -> list[Composable]:
    found: list[Composable] = [PROJECT, *branch.conditions]
    for clause in shape.clauses:
        if clause.column in OUTCOMES and not branch.settled:
            # What PostgreSQL keeps statistics of.
            found.append(SQL("r.outcome = ANY({})").format(Placeholder(f"d{clause.nth}")))
            continue
        column = _column(clause.column, settled=branch.settled)
        operator = OPERATORS[clause.operator]
        value = Placeholder(f"c{clause.nth}")
        if branch.part is not None and shape.parted and shape.parted[0] == clause.nth:
            value = Placeholder(f"c{clause.nth}_{branch.part}")
        elif clause.many:
            found.append(SQL("{} = ANY({})").format(column, value))
            continue
        found.append(SQL("{} {} {}").format(column, operator, value))
    return found


@lru_cache(maxsize=6)
def _called(column: Name, happened: bool) -> bytes:
    return (
        TEXTS["called"]
        .format(
            columns=selected(()),
            reached=TEXTS["reached"],
            type=statement.NAME_TYPES[column],
            jobs=TEXTS["walk_happened" if happened else "walk"],
            column=Identifier(column),
        )
        .as_bytes()
    )


@lru_cache(maxsize=settings.STATEMENTS_KEPT_MAX)
def revised(columns: tuple[str, ...] = ()) -> bytes:
    """The statement for these columns of the jobs of %(project)s that have %(numbers)s, as they were at the %(positions)s of one revision each."""
    return TEXTS["revised"].format(columns=selected(columns), stood=_STOOD).as_bytes()


@lru_cache(maxsize=2)
def _tally(happened: bool) -> bytes:
    jobs = TEXTS["walk_happened"]
    counted = TEXTS["tallied_happened"].format(state=TEXTS["state"], jobs=jobs)
    tallied = counted if happened else past_total.TALLIED
    return TEXTS["tally"].format(reached=TEXTS["reached"], tallied=tallied).as_bytes()


def _total(shape: Shape) -> Composable:
    # No order matters to a number, and at the ends of a range few jobs are counted.
    spans = shape.total == "spans"
    counting = replace(shape, way="walk") if spans or shape.way == "touch" else shape
    if spans:
        others = tuple(one for one in shape.clauses if one.column != total.APART["spans"])
        counting = replace(counting, clauses=others)
    rows = ((branch.jobs, _conditions(counting, branch)) for branch in _branches(counting))
    return past_total.text(shape.total, shape.clauses, rows)


def _bounded(shape: Shape) -> Composable:
    first = shape.order[0].column
    column = first if first in _MOST else "created_at"
    return TEXTS["bounded"].format(
        column=Identifier(column), births=past_total.BIRTHS, most=Identifier(_MOST[column])
    )


def _column(name: str, *, settled: bool = False) -> Composable:
    if settled and name != "updated_at":
        return Identifier("j", name)
    if name in ("state", "phase"):
        return TEXTS[name]
    return Identifier("r" if name in ("outcome", "updated_at") else "j", name)


def _order(columns: list[Composable], places: tuple[Place, ...]) -> Composable:
    return SQL(", ").join(
        SQL("{} DESC" if place.descending else "{}").format(column)
        for column, place in zip(columns, places, strict=True)
    )
