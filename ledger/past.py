"""The past: what of a job's history counts as of a position of the log, or as of a time at which it had happened.

Invariants: pure; what counts is always a prefix of the history, so that it folds to a state the job was in; it depends on the log up to the
position alone, so that the answer never changes. Units: positions count events across the ledger; times are aware."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger.events import Created, Recorded


@dataclass(frozen=True, slots=True)
class AsOf:
    """What the ledger had recorded up to `position`; with `happened`, only what had happened by that time as well."""

    position: int
    happened: datetime | None = None


def cut(history: Sequence[Recorded], then: AsOf) -> list[Recorded]:
    """The events of one job, in version order, that count as of `then`."""
    counted = []
    for one, moment in zip(history, happened(history), strict=True):
        if one.position > then.position or (then.happened is not None and moment > then.happened):
            break
        counted.append(one)
    return counted


def happened(history: Sequence[Recorded]) -> Iterator[datetime]:
    """When each event of one job had happened, in version order from its creation.

    That is what its producer claims, else our own time of record; but nothing happens before what it rests on: a claim that is earlier than
    its predecessor's is taken for that one, and so is an imported entry without a time."""
    latest: datetime | None = None
    for one in history:
        known = [moment for moment in (one.at, _created_at(one), latest) if moment is not None]
        latest = max(known, default=one.recorded_at)
        yield latest


def _created_at(one: Recorded) -> datetime | None:
    return one.event.created_at if isinstance(one.event, Created) else None
