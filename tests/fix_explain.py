"""What EXPLAIN tells: the nodes of a plan, and how many rows of some tables were looked at.

Units: rows. Before version 18 PostgreSQL tells of a node that ran several times how many it had each time, as a whole number: then their sum is known
to half a row a time. Errors: none."""

from __future__ import annotations

from typing import Any, NamedTuple

ANALYZED = b"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "


class Looked(NamedTuple):
    """At how many rows at least and at most. The same number, where it is known."""

    least: int
    most: int


def nodes_of(top: dict[str, Any]) -> list[dict[str, Any]]:
    """A node and all below it."""
    return [top, *(node for plan in top.get("Plans", ()) for node in nodes_of(plan))]


def looked_at(plan: list[dict[str, Any]], *tables: str, filtered: bool = False) -> Looked:
    """Rows of tables whose names begin so, by the answer to `ANALYZED`. `filtered`: those too that a filter took away."""
    total = unknown = 0.0
    for node in nodes_of(plan[0]["Plan"]):
        if not node.get("Relation Name", "").startswith(tables):
            continue
        each, times = node["Actual Rows"], node["Actual Loops"]
        if filtered:
            each += node.get("Rows Removed by Filter", 0)
        total += each * times
        if isinstance(node["Actual Rows"], int) and times > 1:
            unknown += times / 2
    return Looked(round(total - unknown), round(total + unknown))
