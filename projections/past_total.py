"""Totals of the past: how many jobs a question was about as of a position, without counting them where numbers tell.

Invariants: exact; known where `total` knows it of now, by the same counts as they were where the last stretch of positions ended, by what has become
since of the few jobs to which something happened, and of a range by the jobs at its ends. Anything else is counted, and whatever is asked by what had
happened. Units: jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from psycopg.sql import SQL, Composable, Identifier, Placeholder

from ledger import sql
from projections import total
from projections.form import Clause
from projections.question import Query

# The comment that introduces a query is for people.
_TEXTS: Final = MappingProxyType(
    {name: SQL(text.partition("\n")[2].strip()) for name, text in sql.load(__file__).items()}
)
# people: the number of a creation; kinds: counts by state, type and command; spans: those of creation times; rows: jobs.
Way: TypeAlias = Literal["untold", "people", "kinds", "spans", "rows"]

BIRTHS: Final = _TEXTS["births"]
TALLIED: Final = _TEXTS["tallied"].format(
    stood=_TEXTS["stood"], states=total.STATES, changed=_TEXTS["changed"]
)
_PEOPLE: Final = _TEXTS["people"].format(births=BIRTHS)


def way(query: Query) -> Way:
    """What knows how many jobs a question was about."""
    if not query.total:
        return "untold"
    if query.as_of is not None and query.as_of.happened is not None:
        return "rows"
    return total.way(query.conditions) if query.conditions else "people"


def text(
    found: Way, clauses: Iterable[Clause], rows: Iterable[tuple[Composable, Sequence[Composable]]]
) -> Composable:
    """The total as an expression. `rows`: the jobs to count where nobody knows it, or at the ends of a range; of each kind, and the conditions."""
    match found:
        case "untold":
            return SQL("NULL::bigint")
        case "people":
            return _PEOPLE
        case "kinds":
            conditions = SQL(" AND ").join(
                SQL("{} = ANY({})" if one.many else "{} = {}").format(
                    Identifier("j", one.column), Placeholder(f"c{one.nth}")
                )
                for one in clauses
            )
            return _TEXTS["kinds"].format(tallied=TALLIED, conditions=conditions)
        case "spans":
            [ends] = map(_matching, rows)
            return _TEXTS["spans"].format(
                stood=_TEXTS["stood"], states=total.STATES, changed=_TEXTS["changed"], rows=ends
            )
        case "rows":
            counted = (_TEXTS["rows"].format(rows=_matching(one)) for one in rows)
            return SQL(" + ").join(counted)


def values(query: Query) -> dict[str, Any]:
    """What a total by spans takes beside the conditions' own values."""
    since, until = total.covered(query.conditions).within
    return total.values(query.conditions) | {"spans_since": since, "spans_until": until}


def _matching(rows: tuple[Composable, Sequence[Composable]]) -> Composable:
    jobs, conditions = rows
    return SQL("{} WHERE {}").format(jobs, SQL(" AND ").join(conditions))
