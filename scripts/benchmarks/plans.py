"""Plans: what every filter in every order costs PostgreSQL, in rows that it looks at and pages that it touches.

Invariants: each question is run, once and behind the wall between tenants, and what it did is counted, not how long it took; words are taken from
the data set, a common and a rare one of each kind. Units: rows of the read model `jobs`, pages of 8 KiB."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from ledger import sight, sql
from projections import fixed, statement
from projections.filters import FILTERS, SORTS, Condition, Sort
from projections.question import Query

SQL: Final = sql.load(__file__)
PAGE: Final = 50
# Words that most jobs have, and words that few have, by filter. The others are taken from a job in the middle.
WORDS: Final[dict[str, tuple[str, ...]]] = {
    "state": ("Succeeded", "Failed", "Queued"),
    "outcome": ("Succeeded", "Incomplete", "Retrying"),
    "phase": ("completed", "failed", "in-progress"),
    "type": ("Volume", "Rare", "no such type"),
    "command": ("Add", "Resize"),
}
NAMES: Final = ("object", "owner", "request_id", "number", "source_id", "id")
TIMES: Final = {
    "created": ("created_from", "created_to"),
    "updated": ("updated_from", "updated_to"),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one question took. `rows` were looked at, `pages` touched, `found` answered."""

    project: str
    filter: str
    word: str
    order: str
    indexes: tuple[str, ...]
    rows: int
    pages: int
    found: int


def costs(connection: psycopg.Connection[Any], project: str) -> Iterator[Cost]:
    """Every filter with each of its words, and none, in every order: the first page."""
    connection.execute(SQL["see"], ("{" + project + "}",))
    for name, word in [("", ""), *asked(connection, project)]:
        row = FILTERS.get(name)
        conditions = () if row is None else (Condition(row, (row.parse(word),)),)
        for key in SORTS:
            for descending in (False, True):
                order = f"{'-' if descending else ''}{key}"
                query = Query(project, conditions, (Sort(key, descending),), limit=PAGE)
                yield cost(connection, query, name, word, order)


def asked(connection: psycopg.Connection[Any], project: str) -> list[tuple[str, str]]:
    """Filters with the words that are asked for."""
    words = [(name, word) for name, some in WORDS.items() for word in some]
    row = connection.execute(SQL["middle"], {"project": project}).fetchone()
    assert row is not None, f"{project} has no jobs"
    words += [
        (name, str(value)) for name, value in zip(NAMES, row, strict=False) if value is not None
    ]
    for bounds, row in zip(
        TIMES.values(),
        connection.execute(SQL["times"], {"project": project}).fetchall(),
        strict=True,
    ):
        # All, half and few jobs lie behind the first bound, and before the second.
        words += [(bound, at.isoformat()) for bound in bounds for at in row]
    return words


def cost(
    connection: psycopg.Connection[Any], query: Query, name: str, word: str, order: str
) -> Cost:
    """What a question costs."""
    text, values = statement.gathered(query, ("said",))
    values["sight"] = sight.array((query.project,))
    row = connection.execute(
        b"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + text, values
    ).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    nodes = list(_nodes(plan))
    of_jobs = [one for one in nodes if str(one.get("Relation Name", "")).startswith("jobs_v")]
    # A bitmap's rows are counted where they are read from the table.
    rows = sum(
        one["Actual Loops"] * (one["Actual Rows"] + one.get("Rows Removed by Filter", 0))
        for one in of_jobs
    )
    indexes = tuple(
        dict.fromkeys(
            str(one["Index Name"]).partition("_project_")[2].removesuffix("_idx") or "pkey"
            for one in nodes
            if str(one.get("Index Name", "")).startswith("jobs_v")
        )
    )
    found = next(one["Actual Rows"] for one in nodes if one["Node Type"] == "Limit")
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return Cost(query.project, name, word, order, indexes, round(rows), pages, found)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


# --- what is too much ---

SAME: Final = frozenset({"state", "outcome", "phase"})  # three ways to say one thing


def rows_max(jobs: int) -> int:
    """How many rows a page may cost where filter and order have nothing to do with each other.

    PostgreSQL walks the order's index until it has a page, or sorts what the filter leaves; where both cost the same, that is the root of page and
    jobs. Three times that, since it only estimates."""
    return round(3 * math.sqrt((PAGE + 1) * jobs))


def is_pulled_two_ways(filter_name: str, word: str, order: str) -> bool:
    """Whether filter and order say nearly the same, which PostgreSQL does not know: it may walk past all that the filter leaves out.

    A range of one time in an order that also grows with time; a state in an order by another of its names that it leaves open."""
    name = order.removeprefix("-")
    column = FILTERS[filter_name].column if filter_name else ""
    if column in ("created_at", "updated_at"):
        return SORTS[name].column != column
    if column not in SAME or SORTS[name].column not in SAME - {column}:
        return False
    row = FILTERS[filter_name]
    return SORTS[name].column not in fixed.columns([Condition(row, (row.parse(word),))])
