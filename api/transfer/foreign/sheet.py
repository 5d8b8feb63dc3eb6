"""GoGrid's CSV: a line of summary, a line of column names, then one row a job; the next answer may follow in the same stream.

Invariants: memory holds one row; cells without a value are None; a row ends in a comma, so one empty cell more than there are columns is no fault.
`detail` is JSON, or else what Java says of a map. Units: lines from 1. Errors: Bad, in the row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pydantic_core

from api.formula import exact
from api.transfer.foreign import java_map
from api.transfer.lines import Bad, Lines, Row, csv_rows
from ledger.events import Json

_COMMENT = "# "
_LEAST = ("id", "owner", "createdon", "currentstate.name")


def rows(stream: BinaryIO) -> Iterator[Row]:
    """Every job, as the JSON would have it but for numbers, which are text."""
    columns: Sequence[str] = ()
    for row in csv_rows(Lines(stream), ",", None):
        cells = row.cells
        if isinstance(cells, Bad):
            yield row
        elif not cells[0].startswith(_COMMENT):
            yield row._replace(cells=_object(columns, cells))
        elif " TOTAL" in cells:
            columns = ()
        else:
            columns = (cells[0].removeprefix(_COMMENT), *cells[1:])
            if missing := [name for name in _LEAST if name not in columns]:
                yield row._replace(cells=Bad(_no_jobs(columns, missing)))


def _no_jobs(columns: Sequence[str], missing: Sequence[str]) -> str:
    if "errorcode" in columns:
        return "This is GoGrid's answer to a request that failed."
    return f"These are no columns of jobs: {', '.join(missing)} is missing."


def _object(columns: Sequence[str], cells: list[str]) -> dict[str, Any] | Bad:
    if not columns:
        return Bad("No line of column names, which begins with '# id,', stands before this row.")
    if len(cells) == len(columns) + 1 and not cells[-1]:
        cells = cells[:-1]
    if len(cells) != len(columns):
        return Bad(f"The row has {len(cells)} cells for {len(columns)} columns.")
    found: dict[str, Any] = {}
    for column, cell in zip(columns, cells, strict=True):
        if cell:
            # Our own CSV makes formulas harmless; the old system's had none of these apostrophes.
            _put(found, column.split("."), exact(cell))
    found["history"] = _history(found.get("history"))
    if isinstance(found.get("detail"), str):
        found["detail"] = _detail(found["detail"])
    return found


def _put(found: dict[str, Any], path: list[str], cell: str) -> None:
    for step in path[:-1]:
        inner = found.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        found = inner
    found[path[-1]] = cell


def _history(entries: Any) -> list[Any]:
    """Entries by their number in the columns' names. Short histories are padded with empty cells, which are not here any more."""
    if not isinstance(entries, dict):
        return []
    numbered = [(int(nth), entry) for nth, entry in entries.items() if nth.isdecimal()]
    return [entry for _, entry in sorted(numbered, key=lambda one: one[0])]


def _detail(text: str) -> Json:
    try:
        parsed: Json = pydantic_core.from_json(
            text.encode("utf-8", "surrogatepass"), allow_inf_nan=False
        )
    except ValueError:
        parsed = None
    return parsed if isinstance(parsed, dict) else dict(java_map.parse(text))
