"""When followers fold again: together, seldom in a rush, and soon for who waits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from ledger import settings
from projections.beat import Beat

SHORT, LONG = settings.FOLD_BEAT_S, settings.FOLD_BEAT_S_MAX
CALM, RUSH = (share * settings.FOLD_RUSH_EVENTS / SHORT for share in (0.7, 1.4))
WHILE_S = 12 * LONG


def moments(
    beat: Beat,
    events_s: float,
    *,
    after_s: Sequence[float] = (0.0,),
    took_s: float = SHORT / 9,
    awaited: bool = False,
    while_s: float = WHILE_S,
) -> list[float]:
    """When a follower folds a log that grows so fast, for a while. `after_s`: when it folded before, the last time included."""
    began_s = [*after_s[-2:]]
    while began_s[-1] < after_s[-1] + while_s:
        events = round(events_s * (began_s[-1] - began_s[-2] if began_s[1:] else SHORT))
        began_s.append(beat.after(began_s[-1], began_s[-1] + took_s, events, awaited=awaited))
    return began_s


def last_gap(began_s: list[float]) -> float:
    return began_s[-1] - began_s[-2]


@pytest.mark.parametrize("events_s", [CALM, RUSH])
def test_folds_that_take_different_times_begin_at_the_same_moments(events_s: float) -> None:
    """Seen red where each rests from the end of its own fold."""
    quick, slow = (moments(Beat(), events_s, took_s=took_s) for took_s in (SHORT / 9, SHORT / 2))
    assert quick == slow
    # One that was away for a while is with the others again after its first fold.
    assert moments(Beat(), CALM, after_s=[SHORT / 3])[1] == SHORT


def test_beats_are_long_in_a_rush_alone() -> None:
    beat = Beat()
    calm = moments(beat, CALM)
    assert {round(after - before, 9) for before, after in pairwise(calm)} == {SHORT}
    rush = moments(beat, RUSH, after_s=calm)
    assert last_gap(rush) == pytest.approx(LONG)
    after = moments(beat, CALM, after_s=rush)
    assert last_gap(after) == pytest.approx(SHORT)


def test_a_slow_machine_is_in_a_rush_at_fewer_events_a_second() -> None:
    """Seen red where a rush is so many events a second on any machine."""
    slow = Beat()
    rush = moments(slow, RUSH / 3, took_s=2 * SHORT)
    assert last_gap(rush) == pytest.approx(LONG)
    assert last_gap(moments(slow, CALM / 8, after_s=rush, took_s=2 * SHORT)) < LONG
    assert last_gap(moments(Beat(), RUSH / 3)) == pytest.approx(SHORT)


def test_a_machine_that_is_slow_no_more_folds_with_short_beats_again() -> None:
    """Seen red where nothing is forgotten in a rush."""
    beat = Beat()
    rush = moments(beat, RUSH / 3, took_s=2 * SHORT)
    still = moments(beat, RUSH / 3, after_s=rush)
    assert still[2] - still[1] == pytest.approx(LONG)
    later = moments(beat, RUSH / 3, after_s=still, while_s=5 * WHILE_S)
    assert last_gap(later) == pytest.approx(SHORT)


def test_behind_a_peak_folds_are_soon_short_again() -> None:
    """What they took at the peak does not hold at half of it. Seen red where only time lets go of it."""
    beat = Beat()
    peak = moments(beat, 2 * CALM, took_s=1.2 * SHORT)
    assert last_gap(peak) == pytest.approx(LONG)
    half = moments(beat, CALM, after_s=peak, while_s=4 * LONG)
    assert last_gap(half) == pytest.approx(SHORT)


def test_a_pause_in_which_nothing_came_is_no_long_fold() -> None:
    """Seen red where the time from one fold to the next is learnt, whatever lay between."""
    beat = Beat()
    busy = moments(beat, CALM)
    paused = [*busy, busy[-1] + 2 * LONG]
    again = moments(beat, CALM, after_s=[*busy, paused[-1]], while_s=LONG)
    assert {round(later - before, 9) for before, later in pairwise(again[1:])} == {SHORT}


def test_one_fold_that_waited_for_a_processor_makes_no_rush() -> None:
    """Seen red where one fold says a quarter of what the next is held to be."""
    beat = Beat()
    calm = moments(beat, CALM)
    slow_s = beat.after(calm[-1], calm[-1] + 3 * SHORT, round(CALM * SHORT), awaited=False)
    again = moments(beat, CALM, after_s=[calm[-1], slow_s], while_s=LONG)
    assert {round(later - before, 9) for before, later in pairwise(again[1:])} == {SHORT}


def test_one_large_commit_is_no_rush() -> None:
    """Seen red where the rate is that of the last fold."""
    beat = Beat()
    began_s = moments(beat, CALM)[-1]
    ended_s = began_s + SHORT / 9
    next_s = beat.after(began_s, ended_s, round(3 * RUSH * SHORT), awaited=False)
    assert next_s - began_s == pytest.approx(SHORT)


def test_who_waits_is_not_kept_waiting() -> None:
    """Seen red where beats do not ask."""
    assert last_gap(moments(Beat(), RUSH, awaited=True)) == pytest.approx(SHORT)


def test_a_long_fold_is_followed_by_a_rest_of_a_quarter_of_it() -> None:
    """Seen red where the beat after its end is taken, which may come at once."""
    took_s = 3.5 * SHORT
    assert Beat().after(0.0, took_s, 1, awaited=False) == pytest.approx(5 * SHORT)
    # But nobody rests for minutes since a build took hours.
    assert Beat().after(0.0, 1e4, 1, awaited=False) <= 1e4 + LONG + SHORT
