"""A flight: decided writes on their way to the log together, in one commit.

Invariants: what was sent once may be saved, until an answer says that it is not. Errors: none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.pq.abc import PGresult

from ledger.store import Unit
from ledger.waiting import Waiting
from ledger.wire import Wire


@dataclass(eq=False, slots=True)
class Flight:
    """Decided writes on their way to the log together.

    `answer`: what comes back of the try that was sent last, on `wire`. `sent`: there was one. `uncertain`: one may have been saved without our
    knowing."""

    planned: Sequence[Waiting]
    units: list[Unit]
    batch: bytes
    answer: asyncio.Future[PGresult] | None = None
    wire: Wire | None = None
    sent: bool = False
    uncertain: bool = False
