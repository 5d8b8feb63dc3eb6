"""Forms: what kind of file this is, and so how it is fed to the importer.

Invariants: a map says that the file is a table; without one the file must tell transitions, as export writes them or by hand. What cannot be told is
asked for, with the columns that the file has. Errors: NeedsMap, BadMap, BadFile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath

import pydantic_core

from api.transfer import feed, flat, lines
from api.transfer.columns import Columns
from api.transfer.feed import Batch
from api.transfer.held import Held
from api.transfer.known import KnownJobs
from api.transfer.line import Reading
from api.transfer.lines import BadFile, Lines
from api.transfer.map import EXAMPLE, Map, check_columns
from api.transfer.members import NotPlain
from api.transfer.rejects import Rejects
from api.transfer.table import Table
from api.transfer.whole import Whole
from ledger import settings
from ledger.errors import LedgerError

DELIMITERS = {"csv": ",", "tsv": "\t"}
TRANSITION = frozenset({"event", "job"})
WHOLE = frozenset({"id", "state", "history"})


class NeedsMap(LedgerError):
    """A table needs a map."""

    code = "needs_map"
    hint = f"Write a map and name it with --map. It looks like this:\n\n{EXAMPLE}"


def of_table(
    source: Lines,
    name: str,
    map_: Map,
    *,
    project: str | None,
    actor: str,
    new_number: Callable[[], int],
    rejects: Rejects,
    known: KnownJobs,
) -> Iterator[Batch]:
    """The histories of a table. Raises BadMap when the map does not fit it."""
    if project is None:
        raise BadFile("A table names no project: say --project.")
    form = map_.format or _form(source, name)
    if form == "ndjson":
        check_columns(map_, _json_columns(source))
        table = Table(map_, None, project=project, actor=actor, new_number=new_number)
        return feed.of_table(table, lines.json_rows(source), rejects)
    delimiter = map_.delimiter or DELIMITERS[form]
    header = lines.csv_header(source, delimiter)
    check_columns(map_, header)
    table = Table(map_, header, project=project, actor=actor, new_number=new_number)
    rows = lines.csv_rows(source, delimiter, len(header))
    try:
        columns = Columns(table, map_, header, new_number)
    except NotPlain:
        return feed.of_table(table, rows, rejects)
    return feed.of_columns(columns, table, rows, rejects, known)


def of_export(
    source: Lines, *, project: str | None, actor: str, rejects: Rejects, held: Held
) -> tuple[Iterator[Batch], bool]:
    """The histories of a file that needs no map, and whether they come in pieces: transitions do, whole jobs do not. Raises NeedsMap."""
    if _first(source).startswith("{"):
        columns: Iterable[str] = _json_columns(source)
        rows = lines.json_rows(source)
    else:
        header = columns = lines.csv_header(source, ",")
        rows = lines.csv_objects(source, header, flat.objects)
    names = set(columns)
    if names >= WHOLE:
        return feed.of_table(Whole(project=project), rows, rejects), False
    if names >= TRANSITION:
        reading = Reading(project=project, actor=actor)
        return feed.of_lines(reading, rows, rejects, held), True
    shown = ", ".join(repr(name) for name in columns) or "none"
    raise NeedsMap(
        "This is a table of somebody's own: lines of transitions name an event and a job, whole jobs have a history."
        f" Its columns are {shown}."
    )


def _form(source: Lines, name: str) -> str:
    first = _first(source)
    if first.startswith("{"):
        return "ndjson"
    return "tsv" if PurePath(name).suffix.lower() in (".tsv", ".tab") else "csv"


def _first(source: Lines) -> str:
    """The beginning of the first line that is not empty."""
    return next(
        (text.strip() for text in source.ahead(settings.IMPORT_LINES_AHEAD) if text.strip()), ""
    )


def _json_columns(source: Lines) -> dict[str, None]:
    """The names that the first objects have, in order. Those without a value may be left out of some."""
    columns: dict[str, None] = {}
    for text in source.ahead(settings.IMPORT_LINES_AHEAD):
        try:
            said = pydantic_core.from_json(text.encode("utf-8", "surrogatepass"))
        except ValueError:
            continue
        if isinstance(said, dict):
            columns |= dict.fromkeys(said)
    return columns
