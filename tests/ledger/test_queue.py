"""The queue: order, room, and that a job has one write under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from ledger import events, settings
from ledger.queue import Queue
from ledger.waiting import Waiting
from tests.writes import batch, creation, write


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def waiting(loop: asyncio.AbstractEventLoop, *jobs: UUID, size_bytes: int = 0) -> Waiting:
    asked = batch(*((job, events.Noted()) for job in jobs or (uuid4(),)))
    return Waiting(asked._replace(size_bytes=size_bytes), loop.create_future())


def filled(*writes: Waiting) -> Queue:
    queue = Queue()
    for one in writes:
        queue.add(one)
    return queue


def test_writes_of_one_job_are_handed_out_one_by_one(loop: asyncio.AbstractEventLoop) -> None:
    a, b, c = uuid4(), uuid4(), uuid4()
    first, second, both, alone, last = (
        waiting(loop, *jobs) for jobs in ((a,), (a,), (a, b), (c,), (b,))
    )
    queue = filled(first, second, both, alone, last)
    # The last is about a job that one before it is waiting for.
    assert queue.take(9) == [first, alone]
    assert (len(queue), queue.take(9), queue.busy) == (3, [], {a, c})
    queue.release([first])
    assert (queue.take(9), queue.take(9)) == ([second], [])
    queue.release([alone, second])
    assert queue.take(9) == [both]
    queue.release([both])
    assert queue.take(9) == [last]
    queue.release([last])
    assert (len(queue), queue.busy) == (0, set())


def test_what_goes_again_goes_before_what_came_after_it(loop: asyncio.AbstractEventLoop) -> None:
    a = uuid4()
    first, second, other = waiting(loop, a), waiting(loop, a), waiting(loop)
    queue = filled(first, second, other)
    assert queue.take(1) == [first]
    queue.release([first], again=[first])
    assert queue.take(9) == [first, other]


def test_the_next_commit_is_bounded(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "COMMIT_UNITS_MAX", 4)
    monkeypatch.setattr(settings, "COMMIT_EVENTS_MAX", 6)
    monkeypatch.setattr(settings, "COMMIT_BYTES_MAX", 100)
    wide = Waiting(write(uuid4(), creation(), *[events.Noted()] * 6), loop.create_future())
    heavy = [waiting(loop, size_bytes=60) for _ in range(2)]
    small = [waiting(loop) for _ in range(5)]
    queue = filled(*small, *heavy, wide)
    assert (queue.take(3), queue.take(3), queue.take(3)) == (small[:3], small[3:4], [])
    queue.ahead([])
    assert (queue.take(3), queue.take(3)) == ([small[4], heavy[0]], [])
    # One is still being decided when that commit sets out.
    queue.ahead([heavy[0]])
    assert queue.take(3) == []
    queue.ahead([])
    assert (queue.take(3), queue.take(3)) == ([heavy[1]], [])
    queue.ahead([])
    # Too wide for any, so it goes alone.
    assert queue.take(3) == [wide]


def test_writes_that_need_no_commit_leave_their_room(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "COMMIT_UNITS_MAX", 4)
    asked = [waiting(loop) for _ in range(12)]
    queue = filled(*asked)
    for start in range(0, 12, 4):
        refused = queue.take(4)
        assert refused == asked[start : start + 4]
        queue.release(refused)
        queue.ahead([])


def test_nothing_is_left_of_what_was_drained(loop: asyncio.AbstractEventLoop) -> None:
    a = uuid4()
    first, second, other = waiting(loop, a), waiting(loop, a), waiting(loop)
    queue = filled(first, second, other)
    assert queue.take(2) == [first, other]
    last = waiting(loop)
    queue.add(last)
    assert (queue.drain(), len(queue), queue.take(9)) == ([second, last], 0, [])
    queue.release([first, other])
    assert (len(queue), queue.busy) == (0, set())
