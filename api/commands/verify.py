"""`jobledger verify`: CHECKS, each of which finds what is not as the log has it.

Invariants: a check changes nothing that anybody reads; what it finds, it names; exit code 0 means that all was found right, 1 that something was
not. A further check is a row of CHECKS, with its option. Errors: the place's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from api.commands.options import Data, DatabaseUrl, Json, command_group
from api.commands.output import say, say_json
from api.commands.progress import bar
from api.place import Place, Where, opened
from api.transfer.catch_up import catch_up
from ledger import store
from projections import PROJECTIONS
from projections.rebuild import Compared, compare

command = command_group()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. `faults` are sentences, one for each thing that is wrong; `told` says what was looked at; `shown` goes into --json."""

    told: str
    faults: tuple[str, ...] = ()
    shown: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """One row of CHECKS: the option that asks for it alone, and what it looks at, in verdicts as they are found."""

    name: str
    run: Callable[[Place], Iterable[Verdict]]


def projections(place: Place) -> Iterable[Verdict]:
    """Every read model, folded anew from the log beside the live one and compared with it row for row."""
    catch_up(place, place.asked(store.head))
    for projection in PROJECTIONS:
        with bar(projection.name) as progress:
            found = compare(place.dsn, projection.name, progress)
        yield verdict(projection.name, found)


def verdict(name: str, found: Compared) -> Verdict:
    """What a comparison says, in words."""
    return Verdict(
        f"{name}: {found.rows} rows at position {found.position}, {found.different} not as the log has them",
        tuple(f"{name}: {' '.join(key)}" for key in found.keys),
        {"name": name, **found.shown()},
    )


CHECKS: tuple[Check, ...] = (Check("projections", projections),)


@command.command()
def verify(
    only_projections: Annotated[
        bool,
        typer.Option("--projections", help="Only the read models: every row against the log."),
    ] = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Prove that what is served is what the log says, and name whatever is not.

    \b
    jobledger verify --data ./ledger --projections

    The log is folded anew into tables beside the live ones, up to where those stand, and compared with them row for row. Each row that differs
    is named on a line of its own, and the exit code is then 1; `jobledger rebuild` puts such a read model right. It may run while the
    ledger serves. With --json: {"good", "projections": [{"name", "position", "rows", "different", "keys"}]}.
    """  # noqa: D301 - Typer must see the backspace itself
    asked = {name for name, wanted in (("projections", only_projections),) if wanted}
    good, answers = True, dict[str, list[dict[str, Any]]]()
    with opened(Where.said(data, database_url)) as place:
        for check in CHECKS:
            if asked and check.name not in asked:
                continue
            for found in check.run(place):
                good = good and not found.faults
                answers.setdefault(check.name, []).append(found.shown)
                if not json:
                    say(found.told)
                    for fault in found.faults:
                        say(f"  {fault}")
    if json:
        say_json({"good": good, **answers})
    if not good:
        raise typer.Exit(1)
