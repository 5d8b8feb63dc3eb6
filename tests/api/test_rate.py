"""A rate: who keeps to it is never refused, who does not is held to it, and nobody pays for another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.faults import TooFast
from api.rate import Rate
from ledger import settings

PER_S = 10


class Clock:
    """Seconds, as a test says."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@given(st.lists(st.floats(0, 3), max_size=80))
def test_no_second_holds_more_than_its_worth_and_a_burst(pauses_s: list[float]) -> None:
    clock = Clock()
    rate = Rate(PER_S, clock=clock)
    taken: list[float] = []
    for pause_s in pauses_s:
        clock.now_s += pause_s / PER_S
        try:
            rate.take("k")
        except TooFast:
            continue
        taken.append(clock.now_s)
    for nth, begin_s in enumerate(taken):
        within = sum(begin_s <= at_s <= begin_s + 1 for at_s in taken[nth:])
        assert within <= 2 * PER_S + 1


@given(st.lists(st.floats(1 / PER_S, 3), max_size=80))
def test_who_keeps_to_it_is_never_refused(pauses_s: list[float]) -> None:
    clock = Clock()
    rate = Rate(PER_S, clock=clock)
    for pause_s in pauses_s:
        clock.now_s += pause_s
        rate.take("k")


def test_a_refusal_says_when_and_costs_nothing() -> None:
    clock = Clock()
    rate = Rate(PER_S, clock=clock)
    for _ in range(PER_S):
        rate.take("k")
    for _ in range(100):
        with pytest.raises(TooFast) as refused:
            rate.take("k")
        assert refused.value.retry_after_s == 1
    rate.take("another")
    clock.now_s += 1
    rate.take("k")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "KEYS_CACHED_MAX", 3)
    rate = Rate(1, clock=Clock())
    for nth in range(10):
        rate.take(f"k{nth}")
    with pytest.raises(TooFast):
        rate.take("k9")
    rate.take("k0")
