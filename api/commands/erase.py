"""`jobledger erase`: a person's values taken out of the log and of everything made from it, for good.

Invariants: the log says that it was done, by whom, why, and of which events; every proof made before still holds. Errors: the eraser's."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from api import erasing
from api.commands.options import Data, DatabaseUrl, Json, Project, command_group
from api.commands.output import remark, say, say_json
from api.place import Where, opened
from ledger.eraser import Done, Order
from ledger.erasure import FIELDS, Person

command = command_group()

Subject = Annotated[
    str | None,
    typer.Option(
        "--subject",
        metavar="VALUE",
        help="The person, as written: an owner, an address, a number. Erased wherever it stands by itself.",
    ),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="FIELD",
        help=f"Erase this whole in the person's own jobs: {', '.join(FIELDS)}, or a path like detail.customer.name. Repeatable.",
    ),
]
Everything = Annotated[
    bool,
    typer.Option(
        "--everything", help="Erase every field in the person's own jobs: how each went remains."
    ),
]
Jobs = Annotated[
    list[UUID] | None,
    typer.Option("--job", metavar="ID", help="Treat this job as the person's own. Repeatable."),
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who erases: kept in the log.")]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why: kept in the log, so name nobody.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count what would be erased.")]
Scrub = Annotated[
    bool,
    typer.Option(
        "--scrub",
        help="Also write every table anew, so that no page of a file holds it; locks each table meanwhile.",
    ),
]


@command.command()
def erase(
    project: Project,
    by: By,
    reason: Reason,
    subject: Subject = None,
    fields: Fields = None,
    everything: Everything = False,
    jobs: Jobs = None,
    dry_run: DryRun = False,
    scrub: Scrub = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Take a person's values out of the log and all that was made from it.

    \b
    jobledger erase --data ./ledger -p demo --subject ann@example.org --field note --by "data protection" --reason "request 17" --dry-run
    jobledger erase --data ./ledger -p demo --job 0192f7a0-... --everything --by "data protection" --reason "request 17"

    What is erased reads [erased]. That it was done stays in the log as job.erased, and every proof still verifies. The WAL keeps the old
    bytes until it is recycled, and backups as long as you keep them. Jobs under a legal hold are left, named, and the exit code is then 1.
    With --json: {"jobs", "bodies", "fields", "beside", "held", "dry_run", "scrubbed"}.
    """  # noqa: D301 - Typer must see the backspace itself
    if subject is None and not jobs:
        raise typer.BadParameter("Say whom: --subject VALUE, or --job ID.", param_hint="--subject")
    whole = frozenset(FIELDS) if everything else frozenset(fields or ())
    if jobs and not whole:
        raise typer.BadParameter(
            "Say what to erase of the jobs: --field, or --everything.", param_hint="--job"
        )
    order = Order(project, Person(subject, whole), by, reason, frozenset(jobs or ()), everything)
    scrubbed = None
    with opened(Where.said(data, database_url)) as place:
        done = erasing.erase(place, order, dry_run=dry_run)
        if scrub and not dry_run:
            scrubbed = erasing.rewrite(place)
    if json:
        say_json(shown(done) | {"dry_run": dry_run, "scrubbed": scrubbed})
    else:
        _say(done, dry_run=dry_run, scrubbed=scrubbed)
    if done.held:
        raise typer.Exit(1)


def shown(done: Done) -> dict[str, object]:
    """What was done, for programs."""
    return {
        "jobs": done.jobs,
        "bodies": done.bodies,
        "fields": sorted(done.fields),
        "beside": done.beside,
        "held": [str(job_id) for job_id in done.held],
    }


def _say(done: Done, *, dry_run: bool, scrubbed: bool | None) -> None:
    would = "would be rewritten" if dry_run else "rewritten"
    what = f" ({', '.join(sorted(done.fields))})" if done.fields else ""
    say(
        f"{done.bodies} events of {done.jobs} jobs {would}{what}; {done.beside} rows beside the log."
    )
    for job_id in done.held:
        say(f"held: {job_id}")
    if scrubbed is False:
        remark(
            "The old files go with the server's next checkpoint, which this login may not ask for."
        )
    if done.bodies and not dry_run and scrubbed is None:
        remark(
            "Until their pages are used again, files of the database hold the old bytes; --scrub rewrites them now."
        )
