"""Totals of the past: how many jobs a question was about as of a position, without counting them where numbers tell.

Invariants: exact; by state, type and command from the counts of then; behind a range of creation times from what creations say; anything else is
counted. A creation says how many jobs its project had then, itself among them, and between which times all of them were created. Of the jobs that a
project had at a position, those created up to a bound are none or all where the last creation by then says so. Else let one job of now, created up to
the bound, say that with it there were N, none of them later than the bound. It came before the position, since at that some job was later than the
bound, and what was said does not shrink. So there are at least N, which came with it or before; and at most as many as lie up to the bound now. Where
these are N, too, there are N. (Spans and jobs that lag or differ can only be too many: they have reached the position, or there is no answer.)
It fails where jobs did not come in the order of their times. Units: jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from psycopg.sql import SQL, Composable, Identifier, Placeholder

from ledger import sql
from projections import total
from projections.form import Clause
from projections.past_way import COUNTED
from projections.question import Query
from projections.spans import EARLIEST, LATEST, upto
from projections.total import array

# The comment that introduces a query is for people.
TEXTS: Final = MappingProxyType(
    {name: SQL(text.partition("\n")[2].strip()) for name, text in sql.load(__file__).items()}
)
# people: the number of a creation; kinds: counts by state, type and command; range: creations and spans; rows: jobs.
Way: TypeAlias = Literal["untold", "people", "kinds", "range", "rows"]

_MICROSECOND: Final = timedelta(microseconds=1)


def way(query: Query) -> Way:
    """What knows how many jobs a question was about."""
    if not query.total:
        return "untold"
    if query.as_of is not None and query.as_of.happened is not None:
        return "rows"
    columns = {one.filter.column for one in query.conditions}
    if not columns:
        return "people"
    if columns <= COUNTED:
        return "kinds"
    return "range" if all(map(total.is_bound, columns)) else "rows"


def text(
    found: Way, clauses: Iterable[Clause], rows: Iterable[tuple[Composable, Sequence[Composable]]]
) -> Composable:
    """The total as an expression. `rows`: the jobs to count where nobody knows it, of each kind, and the conditions on them."""
    match found:
        case "untold":
            return SQL("NULL::bigint")
        case "people":
            return TEXTS["people"].format(births=TEXTS["births"])
        case "kinds":
            conditions = SQL(" AND ").join(
                SQL("{} = ANY({})" if one.many else "{} = {}").format(
                    Identifier("j", one.column), Placeholder(f"c{one.nth}")
                )
                for one in clauses
            )
            return TEXTS["kinds"].format(tallied=TEXTS["tallied"], conditions=conditions)
        case "range":
            return TEXTS["range"].format(births=TEXTS["births"], rows=_counted(rows))
        case "rows":
            return _counted(rows)


def values(query: Query) -> dict[str, Any]:
    """What a total behind a range takes beside the conditions' own values, as text: each of its bounds, which itself lies within or before it."""
    since, until = total.bounds(query.conditions)
    bounds = [(1, LATEST if until is None else until)]
    if since is not None and since > EARLIEST:
        bounds.append((-1, since - _MICROSECOND))
    covered = [upto(bound) for _, bound in bounds]
    spans = [(nth, one) for nth, (some, _) in enumerate(covered, start=1) for one in some]
    return {
        "bound_sign": array(sign for sign, _ in bounds),
        "bound_upto": array(bound.isoformat() for _, bound in bounds),
        "bound_since": array(since.isoformat() for _, since in covered),
        "span_bound": array(nth for nth, _ in spans),
        "span_s": array(one.span_s for _, one in spans),
        "span_after": array(one.after for _, one in spans),
        "span_upto": array(one.upto for _, one in spans),
    }


def _counted(rows: Iterable[tuple[Composable, Sequence[Composable]]]) -> Composable:
    return SQL(" + ").join(
        TEXTS["rows"].format(jobs=jobs, conditions=SQL(" AND ").join(conditions))
        for jobs, conditions in rows
    )
