"""Turns: places are given lane by lane, nobody waits too long, and a quiet lane is never refused for a greedy one.

Seen red with: places taken in the order of arrival, the newest refused whoever's it is, a place that is not given back after a rest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from api.faults import Crowded
from api.turns import STRANGERS, ClientGone, Turn, Turns
from ledger.errors import Busy, LedgerError
from ledger.settings import Settings

pytestmark = pytest.mark.anyio
DEADLINE_S = 30.0


@dataclass
class Counter:
    """Turns, who began and who was sent away, in order."""

    turns: Turns
    began: list[str] = field(default_factory=list)
    refused: list[tuple[str, type[LedgerError]]] = field(default_factory=list)

    def come(self, name: str) -> Turn:
        """A request of a lane: its name's first letter."""
        return self.turns.ask(
            name[:1],
            lambda: self.began.append(name),
            lambda error: self.refused.append((name, type(error))),
        )


def counter(places: int = 1, of_a_lane: int = 1, waiting: int = 8, wait_s: float = 60) -> Counter:
    chosen = Settings(
        requests_max=places,
        project_requests_max=of_a_lane,
        requests_waiting_max=waiting,
        turn_s_max=wait_s,
    )
    return Counter(Turns(chosen))


async def test_lanes_take_turns_and_the_oldest_of_each_goes_first() -> None:
    at = counter()
    first = at.come("a1")
    turns = [at.come(name) for name in ("a2", "a3", "a4", "b1", "b2", "c1")]
    first.end()
    for _ in turns:
        next(turn for turn, name in zip(turns, NAMES, strict=True) if name == at.began[-1]).end()
    assert at.began == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]
    assert (at.turns.working, at.turns.waiting, at.turns.at_work) == (0, 0, {})


NAMES = ("a2", "a3", "a4", "b1", "b2", "c1")


async def test_a_lane_leaves_places_for_others() -> None:
    at = counter(places=3, of_a_lane=2)
    for name in ("a1", "a2", "a3", "b1"):
        at.come(name)
    assert at.began == ["a1", "a2", "b1"]


async def test_strangers_are_of_no_project_yet() -> None:
    turns = counter(places=3, of_a_lane=1).turns
    began: list[str] = []
    for _ in range(3):
        turns.ask(STRANGERS, lambda: began.append("x"), lambda error: None)
    assert len(began) == 3


async def test_when_too_many_wait_the_longest_lane_loses_its_newest() -> None:
    at = counter(waiting=3)
    for name in ("a1", "a2", "a3", "a4", "b1", "a5"):
        at.come(name)
    assert at.refused == [("a4", Crowded), ("a5", Crowded)]
    assert at.turns.waiting == 3


async def test_alone_the_newest_is_told_that_all_is_full() -> None:
    at = counter(places=1, waiting=1)
    for name in ("a1", "a2", "a3"):
        at.come(name)
    assert at.refused == [("a3", Busy)]


async def test_nobody_waits_too_long() -> None:
    at = counter(wait_s=0.02)
    first = at.come("a1")
    at.come("a2")
    at.come("b1")
    async with asyncio.timeout(DEADLINE_S):
        while len(at.refused) < 2:  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(0.001)
    first.end()
    assert at.began == ["a1"]
    assert at.turns.waiting == 0


async def test_who_rests_leaves_the_place_and_asks_again() -> None:
    at = counter()
    first = at.come("a1")
    second = at.come("b1")
    first.rest()
    assert at.began == ["a1", "b1"]
    again = asyncio.create_task(first.again())
    await asyncio.sleep(0)
    assert not again.done()
    second.end()
    await again
    assert at.turns.working == 1
    first.end()
    first.end()
    assert at.turns.working == 0


async def test_who_rested_may_be_refused_and_raises() -> None:
    at = counter(wait_s=0.02)
    first = at.come("a1")
    first.rest()
    at.come("b1")
    with pytest.raises(Busy):
        await first.again()
    first.end()
    assert at.turns.working == 1


async def test_who_becomes_known_goes_on_in_his_lane_when_it_has_a_place() -> None:
    """Behind those who wait there already. Seen red with nobody moved, and with the newcomer before them."""
    at = counter(places=4, of_a_lane=1)
    first, second = at.come(STRANGERS), at.come(STRANGERS)
    async with asyncio.timeout(DEADLINE_S):
        await first.into("a")
    assert at.turns.at_work == {"a": 1, STRANGERS: 1}
    before = at.come("a1")
    moved = asyncio.create_task(second.into("a"))
    await asyncio.sleep(0)
    assert (at.turns.at_work, at.turns.waiting) == ({"a": 1}, 2)
    first.end()
    await asyncio.sleep(0)
    assert at.began == [STRANGERS, STRANGERS, "a1"]
    assert not moved.done()
    before.end()
    async with asyncio.timeout(DEADLINE_S):
        await moved
    assert at.turns.at_work == {"a": 1}
    second.end()
    assert (at.turns.working, at.turns.waiting, at.turns.at_work) == (0, 0, {})


async def test_who_leaves_a_lane_makes_room_in_it() -> None:
    at = counter(places=4, of_a_lane=1)
    turn = at.come("a1")
    at.come("a2")
    await turn.into("b")
    assert at.began == ["a1", "a2"]
    assert at.turns.at_work == {"a": 1, "b": 1}


async def test_nobody_waits_on_for_a_turn_that_has_ended() -> None:
    """As when its client has gone. Seen red with a task that waited for ever."""
    at = counter()
    turn = at.come("a1")
    turn.rest()
    at.come("b1")
    again = asyncio.create_task(turn.again())
    await asyncio.sleep(0)
    turn.end()
    with pytest.raises(ClientGone):
        async with asyncio.timeout(DEADLINE_S):
            await again
    assert at.turns.waiting == 0


async def test_a_client_that_leaves_gives_its_turn_up() -> None:
    at = counter()
    first, second = at.come("a1"), at.come("a2")
    at.come("b1")
    second.end()
    first.end()
    assert at.began == ["a1", "b1"]


async def test_a_waiter_that_is_cancelled_holds_no_place() -> None:
    at = counter()
    first = at.come("a1")
    late = at.turns.later("b")
    waiting = asyncio.create_task(late.again())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    late.end()
    first.end()
    assert (at.turns.working, at.turns.waiting) == (0, 0)
