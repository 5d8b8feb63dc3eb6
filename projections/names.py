"""Names: what a question calls jobs by, as the column that holds it and the values to look for.

Invariants: each name once, in the order asked; what no job can be called is left out, so that it is simply not found."""

from __future__ import annotations

from typing import Any

from ledger import settings
from projections.question import Named
from projections.statement import Name


def names_of(asked: Named) -> tuple[Name, list[Any]]:
    """The column and the names."""
    if asked.ids:
        return "id", list(dict.fromkeys(asked.ids))
    if asked.numbers:
        return "number", [
            one for one in dict.fromkeys(asked.numbers) if 0 < one <= settings.COUNT_MAX
        ]
    return "object", [one for one in dict.fromkeys(asked.objects) if _storable(one)]


def _storable(text: str) -> bool:
    return "\x00" not in text and text.encode(errors="replace").decode() == text
