"""Spans: what a range is made of holds every time in it once and no other, whatever its ends, and is never much.

Invariants: pure; times lie on borders and beside them, and at the ends of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from projections.spans import SPANS_S, cover

BEGAN = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SHORTEST = timedelta(seconds=SPANS_S[0])
DAYS = (LAST - BEGAN).days

lengths = st.sampled_from([*SPANS_S, SPANS_S[0] / 2, 86_400])
moments = st.builds(
    lambda days, length_s, many, shift: min(
        LAST, BEGAN + timedelta(days) + many * timedelta(seconds=length_s) + shift * MICROSECOND
    ),
    st.integers(0, DAYS - 600_000) | st.just(739_000),
    lengths,
    st.integers(0, 100),
    st.integers(-1, 1) | st.integers(0, 10**12),
).filter(lambda moment: moment >= BEGAN) | st.sampled_from([BEGAN, LAST])
bounds = st.none() | moments


def held(place: datetime, since: datetime | None, until: datetime | None) -> int:
    """How often a job that was created then is counted."""
    ends = cover(since, until).ends
    counted = sum(one.sign for one in ends if one.since <= place <= one.until)
    return in_spans(place, since, until) + counted


def in_spans(place: datetime, since: datetime | None, until: datetime | None) -> int:
    """In how many of the spans it is."""
    count = 0
    for one in cover(since, until).spans:
        span = timedelta(seconds=one.span_s)
        upto = ((place - BEGAN) // span + 1) * span // MICROSECOND
        count += one.after < upto <= one.upto
    return count


@given(bounds, bounds, st.lists(moments, max_size=4))
@example(None, None, [BEGAN, LAST])
@example(BEGAN, LAST, [BEGAN, LAST])
@example(LAST, BEGAN, [BEGAN, LAST])
def test_every_time_of_a_range_counts_once(
    since: datetime | None, until: datetime | None, others: list[datetime]
) -> None:
    ends = [one for one in (since, until) if one is not None]
    near = [one + shift for one in ends for shift in _SHIFTS if _exists(one, shift)]
    for place in (*others, *near):
        inside = (since is None or since <= place) and (until is None or place <= until)
        assert held(place, since, until) == inside, place
        first, last = cover(since, until).within
        assert (first <= place <= last) == in_spans(place, since, until), place


_SHIFTS = [
    sign * shift
    for shift in (0 * MICROSECOND, MICROSECOND, SHORTEST / 2, SHORTEST)
    for sign in (-1, 1)
]


def _exists(moment: datetime, shift: timedelta) -> bool:
    return BEGAN - moment <= shift <= LAST - moment


@given(bounds, bounds)
def test_it_is_never_much(since: datetime | None, until: datetime | None) -> None:
    covered = cover(since, until)
    lengths = SPANS_S
    for shorter, longer in pairwise(lengths):
        assert longer % shorter == 0
        of_length = [one for one in covered.spans if one.span_s == shorter]
        uptos = sum(one.upto - one.after for one in of_length) // (shorter * 1_000_000)
        assert uptos < 2 * longer // shorter
    assert len(covered.ends) <= 2
    for one in covered.ends:
        whole = not covered.spans
        assert one.until - one.since < (SHORTEST if whole else SHORTEST / 2) + MICROSECOND
