"""Totals: how many jobs a question is about, without counting them where counters know.

Invariants: exact; by state, type and command from the counters of now; behind a range of creation times, and by whatever comes to whole states,
from the spans that are counted and the jobs of half a short span at each end; anything else is counted. Units: jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from psycopg.sql import SQL, Composable, Identifier
from psycopg.sql import Literal as Quoted

from ledger import sql
from ledger.job import State
from projections.filters import Condition
from projections.fixed import NAMES, STANDS
from projections.form import Clause, Way, conditions
from projections.spans import Covered, cover

# The comment that introduces a query is for people.
_TEXTS: Final = MappingProxyType(
    {name: SQL(text.partition("\n")[2].strip()) for name, text in sql.load(__file__).items()}
)

STATES: Final = _TEXTS["states"]
_AND: Final = SQL(" AND ")
_KINDS: Final = frozenset({"state", "type", "command"})
_RANGE: Final = "created_at"
_ALL: Final = frozenset(State)
_SPANS: Final = frozenset({_RANGE, *NAMES})
# What counters know, and on which column they are met in a way of their own: each state is a column of theirs, and spans are of a range.
APART: Final[Mapping[Way, str]] = MappingProxyType({"kinds": "state", "spans": _RANGE})


def way(asked: Sequence[Condition]) -> Way:
    """What knows how many jobs these conditions leave."""
    columns = {one.filter.column for one in asked}
    if columns <= _KINDS:
        return "kinds"
    if _RANGE in columns and columns <= _SPANS and _states(asked) is not None:
        return "spans"
    return "rows"


def text(found: Way, clauses: Sequence[Clause]) -> Composable:
    """The total as a subquery of one row, which goes by the name `total` and says how many `jobs` there are."""
    others = [one for one in clauses if one.column != APART.get(found)]
    return _TEXTS[found].format(
        conditions=_AND.join(conditions(clauses)),
        others=_AND.join(conditions(others)),
        states=STATES,
        counted=counted(clauses),
    )


def counted(clauses: Sequence[Clause]) -> Composable:
    """How many jobs of a row of counts are in the states that clauses leave."""
    clauses = [one for one in clauses if one.column == APART["kinds"]]
    return SQL(" + ").join(_in_state(state.value, clauses) for state in State)


def _in_state(state: str, clauses: Sequence[Clause]) -> Composable:
    jobs = Identifier("j", state.lower())
    if not clauses:
        return jobs
    met = _AND.join(one.of(SQL("{}::text").format(Quoted(state))) for one in clauses)
    return SQL("CASE WHEN {} THEN {} ELSE 0 END").format(met, jobs)


def values(conditions: Sequence[Condition]) -> dict[str, Any]:
    """What a total by spans takes beside the conditions' own values. As text, so that a statement's parameters are of the same types each time."""
    range_ = covered(conditions)
    return {
        "span_s": _array(one.span_s for one in range_.spans),
        "span_after": _array(one.after for one in range_.spans),
        "span_upto": _array(one.upto for one in range_.spans),
        "span_states": _array(_states(conditions) or ()),
        "end_sign": _array(one.sign for one in range_.ends),
        "end_since": _array(one.since.isoformat() for one in range_.ends),
        "end_until": _array(one.until.isoformat() for one in range_.ends),
    }


def covered(conditions: Iterable[Condition]) -> Covered:
    """What the range between which jobs were created is made of."""
    since: list[datetime] = []
    until: list[datetime] = []
    for one in conditions:
        if one.filter.column == _RANGE:
            found = since if one.filter.operator == ">=" else until
            found += [value for value in one.values if isinstance(value, datetime)]
    return cover(max(since, default=None), min(until, default=None))


def _states(conditions: Iterable[Condition]) -> frozenset[State] | None:
    """The states that conditions leave; None when they leave one in part, as they do who tell failures apart."""
    asked = [one for one in conditions if one.filter.column in NAMES]
    if not asked:
        return _ALL
    left = dict(STANDS)
    for one in asked:
        nth = NAMES.index(one.filter.column)
        left = {
            outcome: stands
            for outcome, stands in left.items()
            if (outcome, *stands)[nth] in one.values
        }
    states = frozenset(state for state, _ in left.values())
    whole = all(outcome in left for outcome, (state, _) in STANDS.items() if state in states)
    return states if whole else None


def _array(elements: Iterable[object]) -> str:
    """The text of a PostgreSQL array."""
    return "{" + ",".join(map(str, elements)) + "}"
