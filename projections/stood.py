"""Stood: the row of jobs that a job had at one of its versions, made from its row of now.

Invariants: it equals the fold of the job's log up to the version, by the laws of tests/laws/test_past.py; what was erased since is erased in it."""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL, Composable

from ledger import sql
from projections import shape

_TEXTS: Final = {
    name: SQL(text.partition("\n")[2].strip()) for name, text in sql.load(__file__).items()
}


def stood(state: Composable, phase: Composable) -> Composable:
    """A table of that one row, beside a row `r` with the job's id, version, position, updated_at, outcome and failures then, and whether it is
    `settled`: whether that version is its last."""
    told = _TEXTS["told"].format(s_body=shape.body("s"))
    return _TEXTS["stood"].format(told=told, ended=_TEXTS["ended"], state=state, phase=phase)
