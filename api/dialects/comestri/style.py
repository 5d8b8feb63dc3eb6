"""Style: what an operator chooses of Comestri's wording.

Invariants: pure and immutable; made once from the settings, so that nothing below reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo

from ledger.past import AsOf
from ledger.settings import ComestriResult


@dataclass(frozen=True, slots=True)
class Style:
    """`zone`: the fixed offset in which times are told. `canceled_result`: the result of a canceled job, on which the product says nothing."""

    zone: tzinfo = UTC
    canceled_result: ComestriResult = "Pending"


def lasting(style: Style, as_of: AsOf | None) -> Style:
    """The past is told as the document has it, whatever an operator chooses today: its bytes are the same for ever."""
    return style if as_of is None else Style()


def zone(utc_offset: str) -> tzinfo:
    """The zone of an offset such as +10:00."""
    hours, minutes = utc_offset[1:].split(":")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if utc_offset.startswith("-") else offset)
