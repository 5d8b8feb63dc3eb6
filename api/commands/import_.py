"""`jobledger import`: bring history in.

Invariants: run twice it changes nothing more; rejects are told and kept in a file; afterwards the read models have what was imported. Exit code 1
when `--strict` kept everything out. Units: seconds in the summary are those of the import alone. Errors: the place's, the map's, the file's."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.options import Data, DatabaseUrl, Json, command_group
from api.commands.output import remark, say, say_json
from api.place import Place, Where, opened
from api.transfer import map as maps
from api.transfer.catch_up import catch_up
from api.transfer.foreign import SYSTEMS, System
from api.transfer.intake import Order, Progress, Summary, bring
from api.transfer.lines import BadFile
from api.transfer.rejects import Rejects
from ledger.settings import WORD_BYTES_MAX
from ledger.words import fits

command = command_group()

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="CSV, TSV or NDJSON; with --from one or more responses; - for standard input.",
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="SYSTEM",
        help=f"The files are what another system's API answered: {', '.join(SYSTEMS)}.",
    ),
]
Project = Annotated[
    str | None,
    typer.Option(
        "--project",
        "-p",
        metavar="PROJECT",
        help="Where the jobs go. May be left out when the lines of an export say it.",
    ),
]
MapFile = Annotated[
    Path | None,
    typer.Option(
        "--map", metavar="MAP.toml", help="Which column is what, for a table of your own."
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="One bad row keeps everything out; writers wait meanwhile.")
]
RejectsFile = Annotated[
    Path | None,
    typer.Option(
        "--rejects",
        metavar="FILE",
        help="Where rejected rows go, as .csv or NDJSON; else FILE.rejects.csv in this folder.",
    ),
]


@command.command()
def import_(
    files: Files,
    project: Project = None,
    map_file: MapFile = None,
    system: From = None,
    strict: Strict = False,
    rejects: RejectsFile = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Bring history in: a table of jobs, transitions, an export, or what another system answered.

    \b
    jobledger import jobs.csv --data ./ledger --project demo --map jobs.toml
    jobledger export --data ./old | jobledger import - --data ./new
    jobledger import --from gogrid-json jobs-*.json --data ./ledger --project demo

    FILE has one row a job, or one transition a line, or is what `jobledger export` wrote; with --from it holds responses as the old system gave
    them, lists and single jobs, whole documents or one a line, and a later response of a job adds what is new.
    It may be stopped and run again: what is there already is recognised. A row that does not fit goes to the rejects, with its line and
    the reason; mend it and run again. A table needs a map; without one, or with a wrong one, you are shown what a map looks like.
    With --json: {"jobs", "events", "already", "rejected", "rejects", "seconds", "position"}.
    """  # noqa: D301 - Typer must see the backspace itself
    sources = [None if file == "-" else Path(file) for file in files]
    order = Order(
        file=sources[0],
        project=_checked(project),
        map=maps.read(map_file) if map_file is not None else None,
        actor=_actor(),
        strict=strict,
        system=_system(system, project, files, has_map=map_file is not None),
        more=tuple(sources[1:]),
    )
    kept = rejects or Path(f"{sources[0].name if sources[0] else 'stdin'}.rejects.csv")
    for source in sources:
        if source is not None and not source.exists():
            raise BadFile(f"There is no file {source}.")
        if source is not None and kept.exists() and kept.samefile(source):
            raise BadFile("The rejects would overwrite the file.")
    with opened(Where.said(data, database_url), make=True) as place:
        with Rejects(kept) as rejected, _bar(sources) as progress:
            summary = bring(place.dsn, order, rejected, progress)
        _caught_up(place, summary.counts.position)
    _tell(summary, rejected, json=json)
    if not summary.saved:
        raise typer.Exit(1)


def _caught_up(place: Place, position: int) -> None:
    for one in catch_up(place, position).values():
        if one.position < position:
            why = f" ({one.error})" if one.error else ""
            remark(f"The read model {one.name} is {position - one.position} events behind{why}.")


def _tell(summary: Summary, rejected: Rejects, *, json: bool) -> None:
    for reject in rejected.first:
        remark(f"{reject.place}: {reject.reason}")
    if rejected.count > len(rejected.first):
        remark(f"... and {rejected.count - len(rejected.first)} more")
    if rejected.count:
        remark(f"All rejected rows are in {rejected.path}.")
    if not json:
        say(str(summary))
        return
    counts = summary.counts
    answer: dict[str, Any] = {
        "jobs": counts.jobs,
        "events": counts.events,
        "already": counts.already,
        "rejected": summary.rejected,
        "rejects": str(rejected.path) if rejected.count else None,
        "seconds": round(summary.seconds, 3),
        "position": counts.position,
    }
    say_json(answer)


def _system(
    name: str | None, project: str | None, files: list[str], *, has_map: bool
) -> System | None:
    """The system whose responses the files are. Raises BadFile where what was said does not go together."""
    if files.count("-") > 1:
        raise BadFile("Standard input can be read once: say - once.")
    if name is None:
        if len(files) > 1:
            raise BadFile("Several files are read with --from only: import them one by one.")
        return None
    system = SYSTEMS.get(name)
    if system is None:
        raise BadFile(f"--from is one of {', '.join(SYSTEMS)}, not {name!r}.")
    if has_map:
        raise BadFile("Responses need no map: leave out --map or --from.")
    if project is None and not system.names_project:
        raise BadFile("These responses name no project: say --project.")
    return system


def _checked(project: str | None) -> str | None:
    if project is not None and (not project.isprintable() or not fits(project)):
        raise BadFile(f"A project is printable and has 1 to {WORD_BYTES_MAX} bytes of UTF-8.")
    return project


def _actor() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"import:{user}"


@contextmanager
def _bar(files: Sequence[Path | None]) -> Iterator[Progress]:
    """What is told of bytes read and events appended: a bar on a terminal, else nothing."""
    import sys

    if not sys.stderr.isatty():
        yield lambda read, events: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    sizes = [file.stat().st_size for file in files if file is not None and file.is_file()]
    total = sum(sizes) if len(sizes) == len(files) else None
    rate = TextColumn("{task.fields[events]:,} events")
    columns = (TextColumn("importing"), BarColumn(), DownloadColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("import", total=total, events=0)
        yield lambda read, events: bar.update(task, completed=read, events=events)
