"""Spans: a range of creation times as the spans that job_counts has counted, and what is left of it at its two ends.

Invariants: pure; spans begin at the year 1 in UTC and end before the next begins; the fewest that make up a range are named, by the place where
they end; an end lies in half of the shortest span, on the side of its nearer border, and is to be added or taken away. Units: microseconds since
the year 1; bounds of times belong to their range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

# Each a whole number of the one before, so that a range is a few dozen of them: five minutes, four hours, 8 days, 384 days. At 10 jobs a second half
# of the shortest is 1,500 jobs. Never change them without another VERSION of job_counts.
SPANS_S: Final = (300, 14_400, 691_200, 33_177_600)
_BEGAN: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = 1_000_000
# Where no span begins or ends any more.
_NEVER: Final = 2**62


@dataclass(frozen=True, slots=True)
class Span:
    """All spans of one length that end behind one place, and up to another."""

    span_s: int
    after: int
    upto: int


@dataclass(frozen=True, slots=True)
class End:
    """Jobs to be counted one by one: added, or taken away when `sign` is -1. Both times belong to it."""

    sign: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Covered:
    """A range: spans that follow one another, and its ends."""

    spans: tuple[Span, ...]
    ends: tuple[End, ...]

    @property
    def within(self) -> tuple[datetime, datetime]:
        """The first and the last time in its spans; the last before the first where they hold none."""
        first = min((one.after for one in self.spans), default=_NEVER)
        last = max((one.upto for one in self.spans), default=_NEVER)
        return (_LAST, _BEGAN) if first > _place(_LAST) else (_time(first), _time(last - 1))


def cover(since: datetime | None, until: datetime | None) -> Covered:
    """What a range is made of. None: it has no bound there."""
    start = 0 if since is None else _place(since)
    stop = _NEVER if until is None else _place(until) + 1  # the first that is outside
    shortest = SPANS_S[0] * _SECOND
    first = _nearest(start, shortest)
    last = stop if until is None else _nearest(stop, shortest)
    if first >= last:
        return Covered((), (End(1, _time(start), _time(stop - 1)),) if start < stop else ())
    ends = [*_end(start, first, 1)]
    if until is not None:
        ends += _end(stop, last, -1)
    return Covered(tuple(_spans(first, last)), tuple(ends))


def _spans(first: int, last: int) -> Iterator[Span]:
    """The spans between two borders of the shortest: longer ones where they fit."""
    *shorter, longest = SPANS_S
    for span_s, longer_s in zip(shorter, SPANS_S[1:], strict=True):
        longer = longer_s * _SECOND
        begin, end = -(-first // longer) * longer, last // longer * longer
        if begin >= end:
            yield Span(span_s, first, last)
            return
        if first < begin:
            yield Span(span_s, first, begin)
        if last == _NEVER:
            end = _NEVER
        if end < last:
            yield Span(span_s, end, last)
        first, last = begin, end
    yield Span(longest, first, last)


def _end(place: int, border: int, sign: int) -> Iterator[End]:
    """What lies between where a range begins and the border of spans next to it; by a `sign` of -1, where it ends."""
    if place < border:
        yield End(sign, _time(place), _time(border - 1))
    if border < place:
        yield End(-sign, _time(border), _time(place - 1))


def _nearest(place: int, length: int) -> int:
    return (place + length // 2) // length * length


def _place(moment: datetime) -> int:
    return (moment - _BEGAN) // _MICROSECOND


def _time(place: int) -> datetime:
    """No job is behind the last time that there is."""
    return _LAST if place > _place(_LAST) else _BEGAN + place * _MICROSECOND
