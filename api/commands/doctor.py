"""`jobledger doctor`: look for anything wrong.

Invariants: it changes nothing, not even a schema that is behind; exit code 1 when something is wrong. Errors: the place's."""

from __future__ import annotations

from dataclasses import asdict

import typer

from api.commands.options import Data, DatabaseUrl, Json, command_group
from api.commands.output import say, say_json
from api.diagnosis import diagnose
from api.place import Where, opened

command = command_group()


@command.command()
def doctor(data: Data = None, database_url: DatabaseUrl = None, json: Json = False) -> None:
    """Look for anything wrong, and say what to do about it.

    Nothing is changed. The exit code is 1 when something is wrong, so that a monitor can run it.
    """
    with opened(Where.said(data, database_url), prepare=False) as place:
        findings = diagnose(place)
    good = all(finding.good for finding in findings)
    if json:
        say_json({"good": good, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            say(f"{'good ' if finding.good else 'WRONG'}  {finding.check:<12} {finding.says}")
            if not finding.good:
                say(f"       {'':<12} -> {finding.do}")
    if not good:
        raise typer.Exit(1)
