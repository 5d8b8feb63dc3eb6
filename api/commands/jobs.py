"""`jobledger jobs`: list, show and tell jobs, straight from the read models.

Invariants: the words are those of GET /v1/projects/PROJECT/jobs, read by the same parser, so that a filter or a cursor means the same here;
`list` has one option for every row of FILTERS. Errors: Invalid, UnknownJob."""

from __future__ import annotations

import inspect
from typing import Annotated, Any
from uuid import UUID

import typer

from api import cursor, past
from api.commands.options import Data, DatabaseUrl, Json, Project, command_group
from api.commands.output import cell, remark, say_fields, say_json, say_table
from api.dialects.native import ask, view
from api.operation import Asked
from api.place import Place, Where, opened
from api.transfer.catch_up import catch_up
from ledger import store
from ledger.errors import UnknownJob
from ledger.job import Job
from ledger.settings import COUNT_MAX, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX
from projections import query
from projections.filters import FILTERS, SORTS
from projections.past import resolve
from projections.question import Named, Page, Query

command = command_group(
    "List jobs, show one, or tell its history.\n\nThey are read from the read models, which `serve` keeps up with the log; where it does not "
    "run, they are brought up first."
)

COLUMNS = (
    "number",
    "state",
    "type",
    "command",
    "object",
    "owner",
    "created_at",
    "updated_at",
    "id",
)
HISTORY = ("position", "version", "state", "kind", "final", "at", "actor", "note", "source_id")

Name = Annotated[str, typer.Argument(metavar="JOB", help="The job's number, or its id (a UUID).")]
When = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="MOMENT",
        help="Say what the ledger said then: a position, or a time (RFC 3339, or a date) that has passed.",
    ),
]
Kind = Annotated[
    str,
    typer.Option(
        "--as-of-kind",
        metavar="KIND",
        help="Of a time: what had been recorded by then, or what had occurred by then.",
    ),
]


def list_jobs(
    project: Project,
    sort: Annotated[
        str,
        typer.Option(help=f"One of {', '.join(SORTS)}; with a minus in front the last come first."),
    ] = "-created",
    limit: Annotated[
        int, typer.Option(min=1, max=PAGE_LIMIT_MAX, help="The most jobs on one page.")
    ] = PAGE_LIMIT_DEFAULT,
    cursor_word: Annotated[
        str | None,
        typer.Option(
            "--cursor", metavar="WORD", help="The next page: what the page before ended with."
        ),
    ] = None,
    total: Annotated[bool, typer.Option("--total", help="Also count all jobs that match.")] = False,
    as_of: When = None,
    as_of_kind: Kind = "recorded",
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
    **filters: list[str],
) -> None:
    """List the jobs of a project that match every filter, a page at a time.

    \b
    jobledger jobs list --data ./ledger --project demo --state Failed --state Canceled --created-from 2024-05-01
    jobledger jobs list --data ./ledger --project demo --type VirtualServer --sort -updated --limit 10 --json
    jobledger jobs list --data ./ledger --project demo --state Queued --total --as-of 2024-05-30T05:13:26Z

    A filter given twice takes either, where the API does. With --json: {"jobs", "next", "total"}, the jobs as the API has them, and
    `next` as the word for --cursor.
    """  # noqa: D301 - Typer must see the backspace itself
    words = [(name, word) for name, given in filters.items() for word in given]
    words += [("sort", sort), ("limit", str(limit))]
    words += [("count", "exact")] if total else []
    words += [("cursor", cursor_word)] if cursor_word else []
    asked = _asked(project, words)
    if as_of is None:
        ask.jobs(
            asked
        )  # what does not fit is told before anything is opened; a cursor of the past fits only once its moment is known
    with opened(Where.said(data, database_url)) as place:
        _follow(place)
        _travel(place, asked, as_of, as_of_kind)
        question = ask.jobs(asked)
        page = place.asked(lambda connection: query.find(connection, question))
    _say_page(page, question, json=json)


def _with_filters(function: Any) -> Any:
    """The function with one option for every row of FILTERS in place of its `**filters`."""
    signature = inspect.signature(function, eval_str=True)
    own = [
        one
        for one in signature.parameters.values()
        if one.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    options = [
        inspect.Parameter(
            row.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=[],
            annotation=Annotated[
                list[str],
                typer.Option(
                    f"--{row.name.replace('_', '-')}",
                    metavar="TIME" if row.name.endswith(("_from", "_to")) else row.name.upper(),
                    help=row.description + (" Repeatable." if row.many else ""),
                    show_default=False,
                ),
            ],
        )
        for row in FILTERS.values()
    ]
    function.__signature__ = signature.replace(parameters=[*own, *options])
    return function


command.command("list")(_with_filters(list_jobs))


@command.command()
def show(
    job: Name,
    project: Project,
    as_of: When = None,
    as_of_kind: Kind = "recorded",
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Show one job, with all that the ledger knows of it."""
    with opened(Where.said(data, database_url)) as place:
        _follow(place)
        asked = _asked(project, [])
        _travel(place, asked, as_of, as_of_kind)
        found = view.job(_named(place, asked, project, job))
    if json:
        say_json(found)
        return
    rows = [
        (name, value) for name, value in found.items() if name != "history" and value is not None
    ]
    say_fields([(name, _plain(value)) for name, value in rows])
    remark(f"Its history: jobledger jobs history {job} --project {project}")


@command.command()
def history(
    job: Name,
    project: Project,
    as_of: When = None,
    as_of_kind: Kind = "recorded",
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Tell which states a job went through, when, and by whom."""
    with opened(Where.said(data, database_url)) as place:
        _follow(place)
        asked = _asked(project, [])
        _travel(place, asked, as_of, as_of_kind)
        found = view.job(_named(place, asked, project, job))
    if json:
        say_json({"id": found["id"], "number": found["number"], "history": found["history"]})
        return
    say_table(HISTORY, ([stay[column] for column in HISTORY] for stay in found["history"]))


def _follow(place: Place) -> None:
    """Where no server folds what is new in the log, do so now: a read model that is behind would answer with the past."""
    head = place.asked(store.head)
    for one in catch_up(place, head).values():
        if one.position < head:
            why = f": {one.error}" if one.error else ""
            remark(f"The read model {one.name} is {head - one.position} events behind{why}.")


def _asked(project: str, words: list[tuple[str, str]]) -> Asked:
    return Asked(method="GET", path="", query=tuple(words), path_params={"project": project})


def _travel(place: Place, asked: Asked, as_of: str | None, kind: str) -> None:
    """Let what is asked be asked of an earlier moment, if one was given."""
    words = [("as_of", as_of)] if as_of is not None else []
    then = past.read([*words, *([("as_of_kind", kind)] if kind != "recorded" else [])])
    if then is not None:
        project = asked.path_params["project"]
        past.go(asked, *place.asked(lambda connection: resolve(connection, project, then)))


def _named(place: Place, asked: Asked, project: str, name: str) -> Job:
    if name.isdecimal() and int(name) <= COUNT_MAX:
        question = Named(project, numbers=(int(name),), as_of=asked.as_of)
    else:
        try:
            question = Named(project, ids=(UUID(name),), as_of=asked.as_of)
        except ValueError:
            raise typer.BadParameter(
                f"{name!r} is neither a number nor a UUID.", param_hint="JOB"
            ) from None
    found = place.asked(lambda connection: query.named(connection, question))
    if not found:
        raise UnknownJob(f"There is no job {name} in project {project!r}.")
    return found[0]


def _say_page(page: Page, question: Query, *, json: bool) -> None:
    following = cursor.encode(page.after, question) if page.after else None
    if json:
        answer = {"jobs": [view.job(job) for job in page.jobs], "next": following}
        say_json(answer | ({"total": page.total} if page.total is not None else {}))
        return
    say_table(COLUMNS, ([getattr(job, column) for column in COLUMNS] for job in page.jobs))
    if page.total is not None:
        remark(f"{len(page.jobs)} of {page.total} jobs.")
    if following:
        remark(f"More: --cursor {following}")


def _plain(value: object) -> str:
    """A field as one line: what has parts, as JSON."""
    if isinstance(value, dict | tuple | list):
        import pydantic_core

        return pydantic_core.to_json(value).decode()
    return cell(value)
