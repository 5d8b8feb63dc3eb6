"""`jobledger verify`: CHECKS on a ledger, or a proof or a receipt on its own.

Invariants: exit code 0 means that all was found right, 1 that something was not, 3 that nothing was found wrong but something could not be checked; a
file is checked without any ledger. Errors: the place's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from api.checks import CHECKS, Verdict, Wanted, made
from api.commands.options import Data, DatabaseUrl, Json, command_group
from api.commands.output import say, say_json
from api.place import Place, Where, opened
from api.transfer.lines import BadFile
from ledger.note import BadKey, Verifier

command = command_group()

Since = Annotated[
    Path | None,
    typer.Option(
        "--since",
        metavar="CHECKPOINT",
        help="A checkpoint obtained earlier: what it covers must still be the same. Only what came later is read again, unless --full.",
    ),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="VKEY",
        help="A key that you believe, as the operator gave it to you (NAME+ID+BASE64), or a file with one a line. May be repeated.",
    ),
]


@command.command()
def verify(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="A proof that `jobledger prove` made, or the receipt of an event: checked offline.",
        ),
    ] = None,
    since: Since = None,
    full: Annotated[
        bool, typer.Option("--full", help="With --since: read what is older as well.")
    ] = False,
    key: Keys = None,
    only_projections: Annotated[
        bool, typer.Option("--projections", help="Only the read models: every row against the log.")
    ] = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Prove that what is served is what the log says, and the log what was signed.

    \b
    jobledger verify --data ./ledger
    jobledger verify --data ./ledger --since monday.checkpoint --key 'ledger.example.com/log+1a2b3c4d+AZ...'
    jobledger verify job.proof.json --key keys.txt
    jobledger verify receipt.txt --key keys.txt

    Every event is read again and held against its leaf, the leaves against the tree, the tree against every checkpoint; triggers, grants,
    policies and functions against what the migrations make; the read models against the log, row for row. It may run while the
    ledger serves. What was appended since the last checkpoint is not protected yet. Exit codes: 0 right, 1 wrong, 3 not all of it
    could be checked. With --json: {"good", "log", "schema", "projections"}.
    """  # noqa: D301 - Typer must see the backspace itself
    keys = tuple(one for word in key or () for one in _believed(word))
    if file is not None:
        _end(_offline(file, keys), json=json)
        return
    wanted = Wanted(None if since is None else _read(since), keys, full or since is None)
    asked = {"projections"} if only_projections else {check.name for check in CHECKS}
    if not wanted.full and not only_projections:
        asked.remove("projections")
    with opened(Where.said(data, database_url)) as place:
        verdicts = _found(place, asked, wanted, json=json)
    _end(verdicts, json=json, told=True)


def _found(
    place: Place, asked: set[str], wanted: Wanted, *, json: bool
) -> list[tuple[str, Verdict]]:
    """What the asked checks find, told as it is found."""
    verdicts: list[tuple[str, Verdict]] = []
    for check in (check for check in CHECKS if check.name in asked):
        found: Iterable[Verdict] = made(check, place, wanted)
        if check.name == "projections" and any(one.faults for _, one in verdicts):
            # What is folded from a log that is not right is right about nothing.
            undone = "The faults above come first."
            found = (Verdict("projections: not compared", undone=undone),)
        for one in found:
            verdicts.append((check.name, one))
            if not json:
                _tell(one)
    return verdicts


def _offline(file: Path, keys: tuple[Verifier, ...]) -> list[tuple[str, Verdict]]:
    from ledger import proof
    from ledger.errors import LedgerError

    if not keys:
        raise BadKey(
            "A proof is worth as much as the key that you check it with: give one by --key."
        )
    try:
        text = _read(file)
        one = proof.is_receipt(text)
        shown = proof.received(text, keys) if one else proof.checked(text, keys)
    except LedgerError as error:
        return [("proof", Verdict(f"{file}: not proved", (str(error),), {"faults": [str(error)]}))]
    what = (
        f"the event at position {shown['last_position']} of job {shown['job']} is"
        if one
        else f"{shown['events']} events of job {shown['job']} are"
    )
    told = f"{file}: {what} in the log {shown['origin']} of {shown['size']} events"
    return [("proof", Verdict(told, (), shown))]


def _end(verdicts: list[tuple[str, Verdict]], *, json: bool, told: bool = False) -> None:
    answers: dict[str, list[dict[str, Any]]] = {}
    for name, found in verdicts:
        if not (json or told):
            _tell(found)
        undone = {"undone": found.undone} if found.undone else {}
        answers.setdefault(name, []).append({**found.shown, **undone})
    good = not any(found.faults for _, found in verdicts)
    if json:
        say_json({"good": good, **answers})
    if not good:
        raise typer.Exit(1)
    if any(found.undone for _, found in verdicts):
        raise typer.Exit(3)


def _tell(found: Verdict) -> None:
    say(found.told)
    if found.undone:
        say(f"  {found.undone}")
    for fault in found.faults:
        say(f"  {fault}")


def _believed(word: str) -> tuple[Verifier, ...]:
    if Path(word).is_file():
        lines = _read(Path(word)).splitlines()
        return tuple(Verifier.parse(line) for line in lines if line.strip())
    return (Verifier.parse(word),)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise BadFile(f"{path} cannot be read: {error}.") from error
