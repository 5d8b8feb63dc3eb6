"""A walk: a question that one index answers in its own order, whatever the values are, so that its plan can be kept.

Invariants: pure; to plan such a question anew each time would take longer than to answer it, so connections that walk keep one plan for any values,
and do not read a table through, not even one that was empty when the plan was made."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger import connection, settings
from ledger.connection import Role
from projections import past_total, past_way, total
from projections.question import Offset, Query, Tally
from projections.statement import LEADING

# What a connection that walks is told. A bitmap forgets the order, and takes longer to make than a few rows do to read; and what a plan is thought to
# cost that is kept for any values, but hardly ever does, must not have it compiled each time.
SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_bitmapscan": "off",
        "jit": "off",
    }
)


def conninfo(dsn: str) -> str:
    """`dsn` as a reader's connection that walks."""
    words = connection.conninfo(dsn, Role.READER)
    told = (f"-c {name}={value}" for name, value in SETTINGS.items())
    return make_conninfo(words, options=" ".join([str(conninfo_to_dict(words)["options"]), *told]))


def walks(query: Query | Tally) -> bool:
    """Whether one index holds the window, in its order and with nothing between, whatever the values are; and counters any total. Of the past, as it
    `walks_back`, unless it counts first whether another way is shorter."""
    if isinstance(query, Tally):
        return query.as_of is None
    if query.as_of is None:
        return _walks(query)
    return walks_back(query) and past_way.way(query, query.as_of) == past_way.plain(query)


def walks_back(query: Query) -> bool:
    """Whether the same holds of it as of a position: beside the window's own index it reads short ranges alone, and numbers tell any total."""
    recorded = query.as_of is not None and query.as_of.happened is None
    return recorded and past_total.way(query) != "rows" and _walks(query)


def _walks(query: Query) -> bool:
    if len(query.sort) != 1:
        return False
    if isinstance(query.window, Offset) and query.window.rows > settings.WALK_OFFSET_MAX:
        return False
    if query.total and total.way(query.conditions) == "rows":
        return False
    sort = query.sort[0].column
    # A range of the order's own time is a piece of the same index.
    conditions = [
        one for one in query.conditions if sort != "created" or one.filter.column != "created_at"
    ]
    if not conditions:
        return sort in ("created", "updated", "number")
    [condition, *others] = conditions
    single = not others and len(condition.values) == 1 and condition.filter.operator == "in"
    return single and sort == "created" and condition.filter.column in LEADING
