"""A wish: what an item of a batch asks for, in the ledger's words.

Invariants: parsed and immutable; which job it is about is not known yet, unless it creates one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from ledger.events import Event
from ledger.names import Name


@dataclass(frozen=True, slots=True)
class Wish:
    """Let `event` happen to the job that goes by the first of `names` that anybody has; a new job needs none."""

    event: Event
    names: tuple[Name, ...] = ()
    note: str | None = None
    occurred_at: datetime | None = None


# How a form's items are read: the item's text, what all of them share, and the owner where no other is named. Raises LedgerError.
Reader: TypeAlias = Callable[[str, str | None, str], Wish]
