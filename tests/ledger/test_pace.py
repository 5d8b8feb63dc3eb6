"""The pace: slow commits gather writes, busy loops split them."""

from __future__ import annotations

import pytest

from ledger import settings
from ledger.pace import NOTHING_S, ROW_S, WRITE_S, WRITE_S_MAX, Pace


class _Clocks:
    def __init__(self) -> None:
        self.wall_s = self.used_s = 0.0

    def commit(
        self, pace: Pace, took_s: float, used_s: float, writes: int = 1, before_s: float = 0.0
    ) -> None:
        self.wall_s += before_s
        self.used_s += before_s
        pace.departed()
        self.wall_s += took_s
        self.used_s += used_s
        pace.landed(writes)


def paced() -> tuple[Pace, _Clocks]:
    clocks = _Clocks()
    return Pace(clock=lambda: clocks.wall_s, used=lambda: clocks.used_s), clocks


def test_a_slow_database_is_asked_seldom() -> None:
    pace, clocks = paced()
    assert pace.together == settings.COMMIT_TOGETHER_MIN
    for _ in range(60):
        clocks.commit(pace, 0.01, 0.001, 100)
    most = (0.01 - 100 * ROW_S) / WRITE_S
    assert 0.8 * most < pace.together <= most


@pytest.mark.parametrize("writes", [10, 50])
def test_what_the_writes_of_a_commit_take_is_not_a_commits(writes: int) -> None:
    pace, clocks = paced()
    for _ in range(60):
        clocks.commit(pace, 0.001 + writes * ROW_S, 0.0001, writes)
    most = 0.001 / WRITE_S
    assert 0.9 * most < pace.together <= most


def test_a_busy_loop_does_not_take_its_own_time_for_the_databases() -> None:
    pace, clocks = paced()
    for _ in range(60):
        clocks.commit(pace, 0.01, 0.001)
    for _ in range(60):
        clocks.commit(pace, 0.01, 0.0099)
    assert pace.together == settings.COMMIT_TOGETHER_MIN


def test_a_commit_behind_another_begins_when_that_is_done() -> None:
    """Seen red with what it waited for the other taken for its own time."""
    pace, clocks = paced()
    pace.departed()
    for _ in range(60):
        pace.departed()
        clocks.wall_s += 0.002 + ROW_S
        clocks.used_s += 0.0001
        pace.landed(1)
    most = 0.002 / WRITE_S
    assert 0.9 * most < pace.together <= most


def test_how_long_the_first_of_those_under_way_is_so() -> None:
    pace, clocks = paced()
    assert pace.under_way_s == 0
    pace.departed()
    clocks.wall_s += 3
    pace.departed()
    assert pace.under_way_s == 3
    pace.landed(1)
    clocks.wall_s += 1
    assert pace.under_way_s == 1
    pace.landed(1)
    assert pace.under_way_s == 0


def test_nothing_is_learned_of_a_commit_whose_beginning_nobody_saw() -> None:
    """Seen red with what is left of it when the loop has time again taken for all that it took."""
    pace, clocks = paced()
    for _ in range(20):
        clocks.commit(pace, 0.01, 0.001, 100)
    pace.departed()
    clocks.commit(pace, 0.002, 0.0019, 100)
    learned = pace.together
    clocks.wall_s += 0.0001
    pace.landed(100)
    assert pace.together == learned > settings.COMMIT_TOGETHER_MIN


@pytest.mark.parametrize(
    ("write_s", "learned_s"), [(1e-6, WRITE_S), (8e-5, 8e-5), (1.0, WRITE_S_MAX)]
)
def test_writes_that_take_python_longer_set_out_by_fewer(write_s: float, learned_s: float) -> None:
    pace, clocks = paced()
    for _ in range(60):
        clocks.commit(pace, 0.002 + 20 * ROW_S, NOTHING_S, 20, before_s=20 * write_s)
    most = 0.002 / learned_s
    assert 0.9 * most < pace.together <= most + 1


@pytest.mark.parametrize(("write_s", "behind"), [(WRITE_S, True), (WRITE_S_MAX, False)])
def test_a_part_is_sent_behind_another_where_python_is_not_the_slower(
    write_s: float, behind: bool
) -> None:
    pace, clocks = paced()
    assert not pace.behind(100)
    for _ in range(60):
        clocks.commit(pace, 0.0005 + 20 * ROW_S, NOTHING_S, 20, before_s=20 * write_s)
    assert pace.behind(20) == behind
    assert not pace.behind(pace.together - 1)


@pytest.mark.parametrize(
    ("waiting", "share"), [(0, 0), (1, 1), (10, 10), (11, 6), (20, 10), (21, 7), (99, 10)]
)
def test_too_many_set_out_by_equal_parts(
    monkeypatch: pytest.MonkeyPatch, waiting: int, share: int
) -> None:
    monkeypatch.setattr(Pace, "together", 10)
    assert Pace().share(waiting) == share
