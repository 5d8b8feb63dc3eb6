"""`jobledger export`: take the log or the jobs out.

Invariants: it changes nothing; what it writes, `jobledger import` reads; a file is whole or not there. Errors: the place's, the file's."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import typer

from api.commands.options import Data, DatabaseUrl, command_group
from api.commands.output import remark
from api.place import Where, opened
from api.transfer.catch_up import catch_up
from api.transfer.export import export as write
from api.transfer.lines import BadFile
from ledger import store

command = command_group()

What = Annotated[
    Literal["log", "jobs"],
    typer.Option("--what", help="The log, event by event, or the jobs as they stand."),
]
Form = Annotated[
    Literal["ndjson", "csv"] | None,
    typer.Option("--format", help="Else by the end of the file's name; else ndjson."),
]
Project = Annotated[
    str | None, typer.Option("--project", "-p", metavar="PROJECT", help="Only this project's.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Else standard output.")
]


@command.command()
def export(
    project: Project = None,
    what: What = "log",
    form: Form = None,
    output: Output = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Take the log or the jobs out, as NDJSON or CSV.

    \b
    jobledger export --data ./ledger > log.ndjson
    jobledger export --data ./ledger --project demo --what jobs --output jobs.csv

    A line of the log is an event as GET /v1/projects/PROJECT/events has it, a job is as GET .../jobs/ID has it. `jobledger import` makes
    the same jobs of either, with their ids, numbers, times and history; the log alone has every remark as it was made. Cells of a CSV are
    written as they are: a spreadsheet takes one that begins with = for a formula.
    """  # noqa: D301 - Typer must see the backspace itself
    chosen = form or ("csv" if output is not None and output.suffix.lower() == ".csv" else "ndjson")
    with opened(Where.said(data, database_url)) as place:
        if what == "jobs":
            catch_up(place, place.asked(store.head))
        with _written(output) as file:
            count = place.asked(lambda connection: write(connection, what, chosen, project, file))
    remark(f"{count} {'events' if what == 'log' else 'jobs'} exported.")


@contextmanager
def _written(output: Path | None) -> Iterator[BinaryIO]:
    """The file, put in its place when it is whole."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with tempfile.NamedTemporaryFile(
            dir=output.parent, prefix=f".{output.name}.", delete=False
        ) as file:
            try:
                yield file  # type: ignore[misc]
            except BaseException:
                Path(file.name).unlink()
                raise
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        Path(file.name).replace(output)
    except OSError as error:
        raise BadFile(f"{output} cannot be written: {error}.") from error


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
