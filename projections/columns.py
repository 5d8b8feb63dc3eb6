"""Columns: what a statement selects of a row of jobs, which goes by the name `j` in it.

Invariants: a name is a column of the read model, or one of those that are not selected as they are stored: `said` is the whole job as the API's
own JSON, made where the row lies, so that nothing of it is kept anywhere and a list takes no object a job."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from psycopg.sql import SQL, Composable, Identifier

from ledger import sql

# The comment that introduces a query is for people.
_TEXTS: Final = {
    name: SQL(text.partition("\n")[2].strip()) for name, text in sql.load(__file__).items()
}
_MOMENTS: Final = ("created_at", "updated_at", "started_at", "ended_at")

_MADE: Final[Mapping[str, Composable]] = MappingProxyType(
    {
        "detail": SQL("j.detail::text"),
        "messages": SQL("j.messages::text"),
        "said": _TEXTS["said"].format(
            **{name: _TEXTS["moment"].format(column=Identifier("j", name)) for name in _MOMENTS}
        ),
    }
)


def selected(names: tuple[str, ...]) -> Composable:
    """What is selected: these values, or all that a job is made of."""
    if not names:
        return _TEXTS["whole"]
    return SQL(", ").join(_MADE.get(name) or Identifier("j", name) for name in names)
