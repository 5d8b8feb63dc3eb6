"""`jobledger version`: what runs here.

Invariants: nothing is opened or started. Errors: none."""

from __future__ import annotations

import platform

from api.commands.options import Json, command_group
from api.commands.output import say_fields, say_json
from api.pages import versions

command = command_group()


@command.command("version")
def show(json: Json = False) -> None:
    """Print the version of the ledger and of what it runs on."""
    found = {**versions(), "python": platform.python_version()}
    if json:
        say_json(found)
    else:
        say_fields(list(found.items()))
