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
    crowded: bool = True,
    while_s: float = WHILE_S,
) -> list[float]:
    """When a follower folds a log that grows so fast, for a while. `after_s`: when it folded before, the last time included."""
    began_s = [*after_s[-2:]]
    while began_s[-1] < after_s[-1] + while_s:
        events = round(events_s * (began_s[-1] - began_s[-2] if began_s[1:] else SHORT))
        ended_s = began_s[-1] + took_s
        began_s.append(after(beat, began_s[-1], ended_s, events, awaited=awaited, crowded=crowded))
    return began_s


def after(
    beat: Beat,
    began_s: float,
    ended_s: float,
    events: int,
    *,
    awaited: bool = False,
    crowded: bool = True,
) -> float:
    return beat.after(began_s, ended_s, events, awaited=awaited, crowded=lambda: crowded)


def gaps(began_s: list[float]) -> set[float]:
    return {round(later - before, 9) for before, later in pairwise(began_s)}


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
    assert gaps(calm) == {SHORT}
    rush = moments(beat, RUSH, after_s=calm)
    assert last_gap(rush) == pytest.approx(LONG)
    again = moments(beat, CALM, after_s=rush)
    assert last_gap(again) == pytest.approx(SHORT)


def test_a_slow_machine_is_in_a_rush_at_fewer_events_a_second() -> None:
    """Seen red where a rush is so many events a second on any machine."""
    slow = Beat()
    rush = moments(slow, RUSH / 3, took_s=2 * SHORT)
    assert last_gap(rush) == pytest.approx(LONG)
    assert last_gap(moments(slow, CALM / 4, after_s=rush, took_s=2 * SHORT)) < LONG
    assert last_gap(moments(Beat(), RUSH / 3)) == pytest.approx(SHORT)


def test_a_machine_that_is_slow_no_more_folds_with_short_beats_again() -> None:
    """Seen red where nothing is forgotten in a rush."""
    beat = Beat()
    rush = moments(beat, RUSH / 3, took_s=2 * SHORT)
    still = moments(beat, RUSH / 3, after_s=rush)
    assert still[2] - still[1] == pytest.approx(LONG)
    assert last_gap(moments(beat, RUSH / 3, after_s=still)) == pytest.approx(SHORT)


def test_one_large_commit_is_no_rush() -> None:
    """Seen red where the rate is that of the last fold."""
    beat = Beat()
    began_s = moments(beat, CALM)[-1]
    ended_s = began_s + SHORT / 9
    next_s = after(beat, began_s, ended_s, round(3 * RUSH * SHORT))
    assert next_s - began_s == pytest.approx(SHORT)


def test_who_waits_is_not_kept_waiting() -> None:
    """Seen red where beats do not ask."""
    assert last_gap(moments(Beat(), RUSH, awaited=True)) == pytest.approx(SHORT)


def test_a_quick_machine_that_is_not_busy_is_in_no_rush() -> None:
    """Seen red where so many events are one whoever writes them."""
    assert last_gap(moments(Beat(), RUSH, crowded=False)) == pytest.approx(SHORT)


def test_twice_as_many_events_are_a_rush_whoever_writes_them() -> None:
    """Seen red where a few callers who are quick are none."""
    assert last_gap(moments(Beat(), 2 * RUSH, crowded=False)) == pytest.approx(LONG)


def test_nobody_asks_for_a_crowd_while_few_events_come() -> None:
    """Seen red where the log is asked after each fold."""

    def crowded() -> bool:
        raise AssertionError

    beat, began_s = Beat(), 0.0
    for _ in range(100):
        events = round(CALM * SHORT)
        began_s = beat.after(began_s, began_s, events, awaited=False, crowded=crowded)


def test_those_who_were_kept_waiting_make_no_rush_by_coming_together() -> None:
    """Seen red where the first fold that has many events is followed by a long beat."""
    beat = Beat()
    calm = moments(beat, CALM)
    many = moments(beat, 2 * RUSH, after_s=calm, while_s=LONG)
    assert gaps(many) == {SHORT}


def test_a_long_fold_is_followed_by_a_rest_of_a_quarter_of_it() -> None:
    """Seen red where the beat after its end is taken, which may come at once."""
    took_s = 3.5 * SHORT
    assert after(Beat(), 0.0, took_s, 1) == pytest.approx(5 * SHORT)
    # But nobody rests for minutes since a build took hours.
    assert after(Beat(), 0.0, 1e4, 1) <= 1e4 + LONG + SHORT
