"""A projection: a read model that SQL folds from the log.

Invariants: its rows follow from the log alone, so they can be thrown away; folding (from, to] and moving its position is one transaction;
another fold is another VERSION, built beside the old one. `queries` has `create`, which makes indexes too where folds need them, `fold`, and
`index` for those that are made after a build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import LiteralString

from psycopg.sql import SQL, Composed, Identifier

from projections import shape

SCHEMA = "projections"


@dataclass(frozen=True, slots=True)
class Projection:
    """One row of PROJECTIONS. `name` is the view that readers ask, `key` the columns that name a row.

    `past`: only who asks about earlier moments, or as an auditor, asks it, so that nobody else waits for it."""

    name: str
    version: int
    key: tuple[str, ...]
    queries: Mapping[str, LiteralString] = field(repr=False)
    past: bool = False

    @property
    def table(self) -> str:
        """The table of this version when it is built for the first time."""
        return f"{self.name}_v{self.version}"

    def statement(self, query: str, table: str) -> Composed:
        """One of its queries on one of its tables. `fold` takes %(from)s and %(to)s and answers how many events it took.

        `{s_body}` and `{c_body}` in it are the bodies of rows `s` and `c` of the log, in today's shape."""
        return SQL(self.queries[query]).format(
            table=Identifier(SCHEMA, table), s_body=shape.body("s"), c_body=shape.body("c")
        )
