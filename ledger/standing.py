"""Standing: how far the log is sealed, why no further, and what places outside have of it.

Invariants: it tells what is, and moves nothing. Units: `size` and `lag` count events. Errors: psycopg's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ledger import proof, settings
from ledger.store import Connection

NO_ANCHOR: Final = (
    "no place outside keeps checkpoints: whoever has both the database and the notary can set the log back unseen"
    " (LEDGER_ANCHOR_FILE, LEDGER_ANCHOR_COMMAND or LEDGER_ANCHOR_URL)"
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place outside: the last checkpoint that it took, why it did not take the next, and since when that waits."""

    sink: str
    size: int
    at: datetime | None
    error: str | None
    waits_since: datetime | None = None

    def trouble(self, now: datetime) -> str | None:
        """Why it is not what it is for; None when it is."""
        late = timedelta(seconds=settings.ANCHOR_LATE_S)
        if self.error is not None or self.waits_since is None or now - self.waits_since < late:
            return self.error
        return f"given nothing since {self.at or self.waits_since:%Y-%m-%d %H:%M} UTC: is it configured no more?"


@dataclass(frozen=True, slots=True)
class Standing:
    """The last checkpoint; `lag` events are not under it yet. `stopped`: why nothing is signed."""

    origin: str | None
    size: int
    lag: int
    signed_at: datetime | None
    stopped: str | None
    hint: str | None
    anchors: tuple[Anchor, ...]

    def shown(self, now: datetime) -> dict[str, Any]:
        """As JSON shows it."""
        anchors: list[dict[str, Any]] = [
            {"sink": one.sink, "size": one.size, "at": one.at, "error": one.trouble(now)}
            for one in self.anchors
        ]
        told = {"origin": self.origin, "position": self.size, "lag": self.lag}
        more = {"signed_at": self.signed_at, "anchors": anchors}
        return {**told, **more, **({"error": self.stopped} if self.stopped else {})}


async def standing(connection: Connection) -> Standing:
    """How it stands."""
    row = await (await connection.execute(proof.SQL["standing"])).fetchone()
    assert row is not None
    position, origin, size, signed_at, stopped, hint = row
    anchors = await (await connection.execute(proof.SQL["anchored"])).fetchall()
    places = tuple(Anchor(*one) for one in anchors)
    return Standing(origin, size, max(0, position - size), signed_at, stopped, hint, places)
