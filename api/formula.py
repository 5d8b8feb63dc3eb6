"""Formulas: texts in CSV that a spreadsheet would calculate, made harmless, and exact again.

Invariants: `exact(harmless(x)) == x` by law: a formula gets an apostrophe in front, and so does a text that already begins with apostrophes and
then as a formula does. Numbers are no texts: nobody hands them in here."""

from __future__ import annotations

import re
from typing import Final

_FORMULA: Final = re.compile("'*[=+\\-@\t\r]")


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet calculates."""
    return f"'{text}" if _FORMULA.match(text) else text


def exact(cell: str) -> str:
    """The text of such a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
