"""`jobledger prove`: the proof of one job's history, to hand to anybody.

Invariants: stdout gets one JSON document and nothing else; it holds nothing of other jobs but hashes. Errors: the place's, NotSigned,
NoSuchEvent."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from api.commands.options import Data, DatabaseUrl, command_group
from api.commands.output import say_json
from api.place import Connection, Where, opened
from ledger import proof

command = command_group()


@command.command()
def prove(
    job: Annotated[UUID, typer.Argument(metavar="JOB", help="The job's id (a UUID).")],
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Only if it is this project's.")
    ] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Print the proof that a job's history is in the log that was signed.

    \b
    jobledger prove 0190b2c8-... --data ./ledger > job.proof.json
    jobledger verify job.proof.json --key 'ledger.example.com/log+1a2b3c4d+AZ...'

    It holds every event of the job up to the last checkpoint, the checkpoint, and the hashes that lead from one to the other. Who has the
    log's key checks it without the ledger, by `jobledger verify` or by scripts/auditor/verify_proof.py.
    """  # noqa: D301 - Typer must see the backspace itself

    async def proved(connection: Connection) -> dict[str, Any]:
        whose = project or await proof.project_of(connection, job)
        return await proof.of_job(connection, whose, job, (whose,))

    with opened(Where.said(data, database_url)) as place:
        document = place.asked(proved)
    say_json(document)
