"""What commands print: columns for people, tabs for pipes, JSON for programs.

Invariants: answers go to stdout and remarks to stderr; a terminal gets no control character that was stored by somebody; nothing is cut off
when stdout is no terminal. Units: times in UTC, RFC 3339."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pydantic_core
import typer

from api.printable import printable


def say(text: str) -> None:
    """An answer for people: one line."""
    typer.echo(printable(text))


def remark(text: str) -> None:
    """Something beside the answer, on stderr."""
    typer.echo(printable(text), err=True)


def say_json(answer: object) -> None:
    """An answer for programs: one line, or indented on a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    typer.echo(pydantic_core.to_json(answer, indent=indent).decode())


def say_ndjson(answers: Iterable[object]) -> None:
    """Answers for programs, one line each."""
    for answer in answers:
        typer.echo(pydantic_core.to_json(answer))


def say_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows under their columns' names: aligned on a terminal, else separated by tabs, for cut and sort. Nothing is cut off."""
    lines = [list(columns), *([cell(found) for found in row] for row in rows)]
    if not sys.stdout.isatty():
        for line in lines:
            typer.echo("\t".join(line))
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


def say_fields(fields: Sequence[tuple[str, object]]) -> None:
    """One thing, a line for each of its fields."""
    width = max(len(name) for name, _ in fields)
    for name, found in fields:
        typer.echo(f"{name:<{width}}  {cell(found)}")


def cell(found: object) -> str:
    """A value as text on one line; nothing for None."""
    match found:
        case None:
            return ""
        case bool():
            return "yes" if found else "no"
        case datetime():
            return moment(found)
        case list() | tuple() | set() | frozenset():
            return " ".join(cell(item) for item in found)
    return printable(str(found))


def moment(when: datetime) -> str:
    """A time in UTC, to the millisecond."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
