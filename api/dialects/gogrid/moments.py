"""Moments: the ways in which GoGrid's clients write a time, and the one in which it answers.

Invariants: a time without an offset, and a bare date's midnight, are UTC; a two-digit year is of this century. Units: answers are whole
milliseconds since 1970. Errors: Invalid for what is no time or lies outside the years 1 to 9999."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from ledger.errors import Invalid

MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MILLISECONDS = re.compile(r"-?[0-9]{1,15}")
_AMERICAN = re.compile(r"(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{4}|[0-9]{2})")
# A plus that was not percent-encoded arrives as a space, so an offset without a sign lies east of Greenwich.
_FULL = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:[ Tt]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?:\s*(?P<tzd>[Zz]|(?P<sign>[+\- ])?(?P<offset_h>[0-9]{2}):?(?P<offset_m>[0-9]{2})))?)?"
)


def parse(name: str, word: str, now: datetime) -> datetime:
    """The moment that a parameter says."""
    text = word.strip()
    if text == "now":
        return now
    try:
        for form, read in _FORMS:
            if match := form.fullmatch(text):
                return read(match)
    except (ValueError, OverflowError):
        pass
    raise Invalid(
        f"{name} is no date: {word[:100]!r}. Write YYYY-MM-DD hh:mm:ss.s TZD (TZD is Z or +hh:mm or -hh:mm), YYYY-MM-DD,"
        " MM/DD/YYYY, MM/DD/YY, milliseconds since 1970, or now.",
        field=name,
    )


def milliseconds(moment: datetime) -> int:
    """A moment as the wire has it: whole milliseconds since 1970, rounded down."""
    since = moment - _EPOCH
    # In half the time of a division by a millisecond; a time before 1970 is so many days less and some seconds more.
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def _from_milliseconds(match: re.Match[str]) -> datetime:
    return _EPOCH + int(match[0]) * MILLISECOND


def _american(match: re.Match[str]) -> datetime:
    year = int(match["year"]) + (2000 if len(match["year"]) == 2 else 0)
    return datetime(year, int(match["month"]), int(match["day"]), tzinfo=UTC)


def _full(match: re.Match[str]) -> datetime:
    date = int(match["year"]), int(match["month"]), int(match["day"])
    microsecond = int((match["fraction"] or "0").ljust(6, "0")[:6])
    time = int(match["hour"] or 0), int(match["minute"] or 0), int(match["second"] or 0)
    return datetime(*date, *time, microsecond, tzinfo=_zone(match)).astimezone(UTC)


def _zone(match: re.Match[str]) -> timezone:
    if match["offset_h"] is None:
        return UTC
    if int(match["offset_m"]) > 59:
        raise ValueError("minutes of an offset")
    offset = timedelta(hours=int(match["offset_h"]), minutes=int(match["offset_m"]))
    return timezone(-offset if match["sign"] == "-" else offset)


_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], datetime]], ...]] = (
    (_MILLISECONDS, _from_milliseconds),
    (_FULL, _full),
    (_AMERICAN, _american),
)
