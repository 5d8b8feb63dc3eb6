"""Moments: the forms of ISO 8601 that Comestri's parameters take, and the one that its answers have.

Invariants: a time without an offset is UTC, as is a bare date's midnight; answers have milliseconds, rounded down, and the tenant's offset.
Errors: Invalid for what is no time or lies outside the years 1 to 9999."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from ledger.errors import Invalid

_WITHIN_A_MILLISECOND: Final = timedelta(microseconds=999)
_WRITTEN = re.compile(r"[0-9W-]{8,10}(?:[T ][0-9:.,]{2,20}(?:Z|[+-][0-9:]{2,6})?)?")
# A plus that was not percent-encoded arrives as a space.
_LOST_PLUS = re.compile(r"(?<=[T0-9:.,]) (?=[0-9]{2}(?::?[0-9]{2})?$)")


def parse(name: str, word: str) -> datetime:
    """The moment that a parameter says."""
    text = word.strip().upper()
    if "T" in text:
        text = _LOST_PLUS.sub("+", text)
    if _WRITTEN.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise Invalid(
        f"{name} is no time in ISO 8601, such as 2016-05-30T05:13:26Z.",
        field=name,
        problems=((name, "Must be a time in ISO 8601, such as 2016-05-30T05:13:26Z."),),
    )


def until(moment: datetime) -> datetime:
    """The last moment that is told alike: answers round down, so the whole millisecond belongs to a range that ends in it."""
    return moment if moment.microsecond % 1_000 else moment + _WITHIN_A_MILLISECOND


def told(moment: datetime, zone: tzinfo) -> str:
    """A moment as answers have it."""
    try:
        moment = moment.astimezone(zone)
    except OverflowError:
        # The first and the last day of the calendar have no other offset than their own.
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")
