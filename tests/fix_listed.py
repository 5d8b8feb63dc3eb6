"""Lists as they are said, in words that hold all that was told; asked with a memory of how jobs were said, or without.

Invariants: the words of two jobs are the same only where their columns are."""

from __future__ import annotations

from typing import Any, Final

from projections import query
from projections.filters import Sort
from projections.lately import Lately
from projections.question import Page, Query, Telling
from tests.fix_jobs import A
from tests.fix_questions import Asker


def say(row: tuple[Any, ...], about: str) -> bytes:
    """All of a row."""
    return repr((about, row)).encode()


COLUMNS: Final = ("state", "owner", "updated_at", "history", "progress", "said")
TELLING: Final = Telling(COLUMNS, say, "x")
EVERY: Final = Query(A, sort=(Sort("number"),), limit=1_000, telling=TELLING, total=True)


def find(asker: Asker, asked: Query, lately: Lately | None, *sight: str) -> Page:
    """A page, as a reader of these projects, or of the question's own, is shown it."""
    return asker.run(query.find(asker.connection, asked, sight or None, lately))
