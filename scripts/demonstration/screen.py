"""The screen: headed sections, tables and listings for people.

Invariants: colours only on a terminal, plain text elsewhere; a terminal gets no control character of a job's. Any thread may write a line.
Errors: BrokenPipeError when nobody reads any more."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.printable import printable

WIDTH: Final = 140  # characters, where there is no terminal that has a width
STYLES: Final = {
    "Created": "cyan",
    "Queued": "blue",
    "Processing": "yellow",
    "Succeeded": "green",
    "Failed": "red",
    "Canceled": "magenta",
}


class Screen:
    """Standard output."""

    def __init__(self) -> None:
        self._console = Console(highlight=False) if sys.stdout.isatty() else None
        self._turn = threading.Lock()

    @property
    def width(self) -> int:
        """How long a line of a listing may be before it should be broken."""
        return self._console.width if self._console else WIDTH

    def section(self, title: str, remark: str = "") -> None:
        """Open a section, with a sentence on what it shows."""
        self._write("")
        self._write(title if self._console else f"── {title}", "bold cyan")
        if remark:
            self._write(remark, "dim")

    def say(self, text: str) -> None:
        """A line; a terminal wraps it, so that an address can still be copied whole."""
        self._write(printable(text))

    def listing(self, lines: Iterable[str]) -> None:
        """The lines of a document."""
        for line in lines:
            self.say(line)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows under their columns' names."""
        cells = [["" if value is None else printable(str(value)) for value in row] for row in rows]
        if self._console is None:
            self._plain_table([list(columns), *cells])
            return
        table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
        for line in cells:
            table.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in line))
        with self._turn:
            self._console.print(table)

    def happened(self, cells: Sequence[str]) -> None:
        """A line of what goes on, in columns."""
        if self._console is None:
            self._write("  ".join(cells).rstrip())
            return
        line = Text("  ").join(Text(cell, STYLES.get(cell.strip(), "")) for cell in cells)
        with self._turn:
            self._console.print(line, no_wrap=True, overflow="ellipsis")

    def _plain_table(self, lines: list[list[str]]) -> None:
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self._write("  ".join(padded).rstrip())

    def _write(self, text: str, style: str = "") -> None:
        with self._turn:
            if self._console is None:
                print(text, flush=True)
            else:
                self._console.print(Text(text, style), soft_wrap=True)
