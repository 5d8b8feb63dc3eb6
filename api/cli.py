"""The `jobledger` command: COMMANDS, and what becomes of an error.

Invariants: a command's module is imported when it is used, so that `--help` costs no database driver; a LedgerError ends as a sentence and a
hint on stderr with exit code 1, a wrong command line with 2. Answers go to stdout."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ledger.errors import LedgerError


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of COMMANDS: the module's `command` is a Typer app; the summary is the first line of its help."""

    topic: str
    name: str
    module: str
    summary: str


RUN, KEYS, JOBS, HISTORY = "Run it", "Let somebody in", "Look at jobs", "Move history in and out"
DATABASE = "Look after it"

COMMANDS: tuple[Entry, ...] = (
    Entry(RUN, "serve", "api.commands.serve", "Run the ledger: its database, its read models and its HTTP API."),
    Entry(RUN, "project", "api.commands.project", "Keep the read models at the end of the log, until a signal."),
    Entry(RUN, "status", "api.commands.status", "Say how far the log and its read models are."),
    Entry(RUN, "doctor", "api.commands.doctor", "Look for anything wrong, and say what to do about it."),
    Entry(KEYS, "keys", "api.commands.keys", "Issue, list, rotate and revoke API keys."),
    Entry(JOBS, "jobs", "api.commands.jobs", "List jobs, show one, or tell its history."),
    Entry(JOBS, "tail", "api.commands.tail", "Follow the log: print events as they are recorded."),
    Entry(JOBS, "audit", "api.commands.audit", "Say who did what, where jobs were and for how long, and what was refused."),
    Entry(HISTORY, "import", "api.commands.import_", "Bring history in: a table of jobs, transitions, an export, or what another system answered."),
    Entry(HISTORY, "export", "api.commands.export", "Take the log or the jobs out, as NDJSON or CSV."),
    Entry(DATABASE, "migrate", "api.commands.migrate", "Bring the database to the schema of this version."),
    Entry(DATABASE, "maintenance", "api.commands.maintenance", "Refuse writes, or everything, while you work on the ledger."),
    Entry(DATABASE, "rebuild", "api.commands.rebuild", "Make read models anew from the log, while the old ones are served."),
    Entry(DATABASE, "checkpoint", "api.commands.checkpoint", "Show what was signed of the log, its keys, and the way on when it was set back."),
    Entry(DATABASE, "prove", "api.commands.prove", "Print the proof that a job's history is in the log that was signed."),
    Entry(DATABASE, "verify", "api.commands.verify", "Prove that what is served is what the log says, and the log what was signed."),
    Entry(DATABASE, "replay", "api.commands.replay", "Fold the log up to a position beside the live read models, and compare."),
    Entry(DATABASE, "backup", "api.commands.backup", "Copy the running ledger into a new folder."),
    Entry(DATABASE, "restore", "api.commands.restore", "Make a ledger out of a backup, verified before anybody can serve it."),
    Entry(DATABASE, "erase", "api.commands.erase", "Take a person's values out of the log and all that was made from it."),
    Entry(DATABASE, "hold", "api.commands.hold", "Forbid to erase, for a time."),
    Entry(DATABASE, "retention", "api.commands.retention", "Say how long ended jobs keep values of persons, and erase what is due."),
    Entry(DATABASE, "dsn", "api.commands.dsn", "Print the connection string of the running database, for psql and other tools."),
    Entry(DATABASE, "config", "api.commands.config", "Show every setting and every limit, and why it is what it is."),
    Entry(DATABASE, "version", "api.commands.version", "Print the version of the ledger and of what it runs on."),
)  # fmt: skip


class Commands(TyperGroup):
    """COMMANDS as Typer's group; it lists them without importing any."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the table's order."""
        return [entry.name for entry in COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, imported now; None when there is none."""
        for entry in COMMANDS:
            if entry.name == cmd_name:
                return get_command(import_module(entry.module).command)
        return None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table itself, by topic."""
        for topic in dict.fromkeys(entry.topic for entry in COMMANDS):
            with formatter.section(topic):
                formatter.write_dl([(e.name, e.summary) for e in COMMANDS if e.topic == topic])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Typer's, with suggestions from the table for a mistyped name."""
        self.commands = {entry.name: self for entry in COMMANDS}
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; a refusal is told in its own words."""
        try:
            return super().invoke(ctx)
        except LedgerError as error:
            from api.commands.output import remark

            remark(f"jobledger: {error}")
            for line in error.hint.splitlines():
                remark(f"  {line}")
            raise typer.Exit(1) from error


main = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@main.callback()
def _main() -> None:
    """The system of record for long-running jobs.

    \b
    A first session, in two terminals:
      jobledger serve --data ./ledger --port 8080
      jobledger keys create --data ./ledger --project demo --scope jobs:read --scope jobs:write
      curl -H "Authorization: Bearer $KEY" http://127.0.0.1:8080/v1/projects/demo/jobs

    Every command that works on a ledger takes --data DIR, or LEDGER_DATA, for the embedded database, or LEDGER_DATABASE_URL
    for a PostgreSQL of your own. It may be used while `serve` runs.
    """  # noqa: D301 - Typer must see the backspace itself


if __name__ == "__main__":
    main()
