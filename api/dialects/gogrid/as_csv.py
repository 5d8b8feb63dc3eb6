"""GoGrid's CSV: a summary line, a line of column names, then one row an object.

Invariants: RFC 4180 quoting, LF line ends; every row ends in a comma, hence an empty last cell; rows with a short history are padded to the
longest. A text that a spreadsheet would take for a formula has an apostrophe in front, and so has one that already begins with apostrophes and
then such a sign: whoever takes one apostrophe away from those has every text exactly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final, assert_never

from api.dialects.gogrid.options import Option
from api.dialects.gogrid.shape import Entry, Envelope, Fault, ShownJob, Thing
from api.formula import harmless

MEDIA_TYPE: Final = "text/csv; charset=utf-8"

_Cell = str | int | None

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
    summary: list[_Cell] = [envelope.status.upper(), envelope.method, "TOTAL", envelope.total]
    if envelope.numpages is not None:
        summary += ["NUMPAGES", envelope.numpages]
    summary += ["START", envelope.start, "RETURNED", len(envelope.things)]
    lines = [f"# {', '.join(map(_cell, summary))}", f"# {','.join(columns)}"]
    lines += [f"{','.join(map(_cell, row))}," for row in rows]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _table(envelope: Envelope) -> tuple[tuple[str, ...], list[tuple[_Cell, ...]]]:
    jobs = [one for one in envelope.things if isinstance(one, ShownJob)]
    longest = max((len(job.history) for job in jobs), default=0)
    entries = (f"history.{nth}.{part}" for nth in range(1, longest + 1) for part in _ENTRY)
    columns = {ShownJob: (*_JOB, *entries), Option: _OPTION, Fault: _FAULT}[envelope.kind]
    return columns, [_row(one, longest) for one in envelope.things]


def _row(thing: Thing, longest: int) -> tuple[_Cell, ...]:
    match thing:
        case ShownJob():
            return _job(thing, longest)
        case Option():
            return _option(thing)
        case Fault(message, errorcode):
            return (message, errorcode)
        case _ as never:
            assert_never(never)


def _job(job: ShownJob, longest: int) -> tuple[_Cell, ...]:
    return (
        job.id,
        job.owner,
        job.createdon,
        job.lastupdatedon,
        job.attempts,
        *_option(job.currentstate),
        *_option(job.command),
        *_option(job.objecttype),
        None if job.detail is None else _json(job),
        *(cell for entry in job.history for cell in _entry(entry)),
        *((None,) * len(_ENTRY) * (longest - len(job.history))),
    )


def _json(job: ShownJob) -> str:
    return json.dumps(job.detail, ensure_ascii=False, separators=(",", ":"))


def _entry(entry: Entry) -> Iterable[_Cell]:
    return (entry.id, *_option(entry.state), entry.note, entry.updatedon)


def _option(option: Option) -> tuple[_Cell, ...]:
    return (option.id, option.name, option.description)


def _cell(value: _Cell) -> str:
    text = harmless(value) if isinstance(value, str) else "" if value is None else str(value)
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if _SPECIAL.search(text) else text
