"""Options that several commands share, so that they are called and explained alike.

Invariants: importing this is quick; what an option means is decided where it is used. Units stand in the names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder of the embedded database and of the secret; or LEDGER_DATA.",
        show_default=False,
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="A PostgreSQL 15+ to use instead; better in LEDGER_DATABASE_URL, where no other user sees its password.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
Project = Annotated[
    str, typer.Option("--project", "-p", metavar="PROJECT", help="The project (the tenant).")
]
OneProject = Annotated[str | None, typer.Option("--project", "-p", help="Only this project's.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so: kept.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why: kept.")]


def command_group(help_text: str = "") -> typer.Typer:
    """A group of commands, or a single one. Its help is plain text: rich would take longer to load than to read."""
    return typer.Typer(
        help=help_text,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
