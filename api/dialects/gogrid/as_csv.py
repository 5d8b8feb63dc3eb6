"""GoGrid's CSV: a summary line, a line of column names, then one row an object.

Invariants: RFC 4180 quoting, LF line ends; every row ends in a comma, hence an empty last cell; rows with a short history are padded to the
longest. A text that a spreadsheet would take for a formula has an apostrophe in front, and so has one that already begins with apostrophes and
then such a sign: whoever takes one apostrophe away from those has every text exactly."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Final, assert_never

from api.dialects.gogrid.options import KEPT_MAX, Option
from api.dialects.gogrid.shape import Entry, Envelope, Fault, ShownJob, Thing
from api.formula import harmless

MEDIA_TYPE: Final = "text/csv; charset=utf-8"

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_SPECIAL = re.compile('[",\r\n]')
_OPTION: Final = ("id", "name", "description")
_JOB: Final = (
    *("id", "owner", "createdon", "lastupdatedon", "attempts"),
    *(f"{name}.{part}" for name in ("currentstate", "command", "objecttype") for part in _OPTION),
    "detail",
)
_FAULT: Final = ("message", "errorcode")
_ENTRY: Final = ("id", "state.id", "state.name", "state.description", "note", "updatedon")


def render(envelope: Envelope) -> bytes:
    """An answer in CSV."""
    columns, rows = _table(envelope)
    pages = "" if envelope.numpages is None else f"NUMPAGES, {envelope.numpages}, "
    summary = f"# {envelope.status.upper()}, {_cell(envelope.method)}, TOTAL, {envelope.total}, {pages}START, {envelope.start}, RETURNED, {len(rows)}"
    lines = [summary, f"# {','.join(columns)}", *rows, ""]
    return "\n".join(lines).encode("utf-8", "replace")


def _table(envelope: Envelope) -> tuple[tuple[str, ...], list[str]]:
    """The names of the columns, and each row as a line. A row's last cell is empty."""
    jobs = [one for one in envelope.things if isinstance(one, ShownJob)]
    longest = max((len(job.history) for job in jobs), default=0)
    entries = (f"history.{nth}.{part}" for nth in range(1, longest + 1) for part in _ENTRY)
    columns = {ShownJob: (*_JOB, *entries), Option: _OPTION, Fault: _FAULT}[envelope.kind]
    return columns, [_row(one, longest) for one in envelope.things]


def _row(thing: Thing, longest: int) -> str:
    match thing:
        case ShownJob():
            return f"{job(thing)}{',' * len(_ENTRY) * (longest - len(thing.history))}"
        case Option():
            return f"{_option(thing)},"
        case Fault(message, errorcode):
            return f"{_cell(message)},{_cell(errorcode)},"
        case _ as never:
            assert_never(never)


def job(shown: ShownJob) -> str:
    """A job as a list tells it, less the cells of longer histories."""
    detail = "" if shown.detail is None else _cell(_ENCODER.encode(shown.detail))
    return (
        f"{shown.id},{_cell(shown.owner)},{shown.createdon},{shown.lastupdatedon},{shown.attempts},{_option(shown.currentstate)},"
        f"{_option(shown.command)},{_option(shown.objecttype)},{detail},{''.join(map(_entry, shown.history))}"
    )


def _entry(entry: Entry) -> str:
    number, state, note, updatedon = entry
    return f"{number},{_option(state)},{'' if note is None else _cell(note)},{'' if updatedon is None else updatedon},"


@lru_cache(maxsize=KEPT_MAX)
def _option(option: Option) -> str:
    return f"{option.id},{_cell(option.name)},{_cell(option.description or '')}"


def _cell(text: str) -> str:
    text = harmless(text)
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if _SPECIAL.search(text) else text
