"""`jobledger maintenance`: have the API refuse writes, or everything, for a while.

Invariants: it works while `serve` runs, on every process of the ledger, and outlives a restart; the pages about the ledger itself are served
all the same. Units: seconds. Errors: the place's."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from api import maintenance
from api.commands.options import Data, DatabaseUrl, Json, command_group
from api.commands.output import say, say_fields, say_json
from api.maintenance import Refused, State
from api.place import Where, opened
from ledger.settings import MAINTENANCE_RETRY_AFTER_S, MAINTENANCE_RETRY_AFTER_S_MAX

command = command_group(
    "Refuse writes, or everything, while you work on the ledger.\n\nWhat is refused is answered 503 with Retry-After, in the words of every "
    "dialect. Running servers follow within seconds; commands and the pages about the ledger itself work on."
)

RetryAfter = Annotated[
    int,
    typer.Option(
        "--retry-after",
        metavar="SECONDS",
        min=1,
        max=MAINTENANCE_RETRY_AFTER_S_MAX,
        help="After how long callers are asked to come back.",
    ),
]
Everything = Annotated[
    bool,
    typer.Option(
        "--all/--reads",
        help="Refuse everything, or refuse writes and answer reads.",
        show_default="--reads",
    ),
]


@command.command()
def on(
    everything: Everything = False,
    retry_after: RetryAfter = MAINTENANCE_RETRY_AFTER_S,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Refuse writes, or everything.

    \b
    jobledger maintenance on --data ./ledger --reads
    jobledger maintenance on --data ./ledger --all --retry-after 600

    It stays on until it is switched off, over restarts too. With --json: {"refused", "retry_after_s", "since"}.
    """  # noqa: D301 - Typer must see the backspace itself
    _switch("all" if everything else "writes", retry_after, data, database_url, json=json)


@command.command()
def off(data: Data = None, database_url: DatabaseUrl = None, json: Json = False) -> None:
    """Answer everything again."""
    _switch("nothing", MAINTENANCE_RETRY_AFTER_S, data, database_url, json=json)


@command.command()
def show(data: Data = None, database_url: DatabaseUrl = None, json: Json = False) -> None:
    """Say what is refused, and since when."""
    with opened(Where.said(data, database_url)) as place, place.owner() as connection:
        found = maintenance.state(connection)
    _say(found, json=json)


def _switch(
    refused: Refused, retry_after_s: int, data: Data, database_url: DatabaseUrl, *, json: bool
) -> None:
    with opened(Where.said(data, database_url)) as place, place.owner() as connection:
        found = maintenance.switch(connection, refused, retry_after_s)
    _say(found, json=json)


def _say(found: State, *, json: bool) -> None:
    if json:
        say_json(asdict(found))
    elif found.refused == "nothing":
        say("Maintenance is off: everything is answered.")
    else:
        say_fields(list(asdict(found).items()))
