"""What is remembered of how jobs were said: bounded, never an older version, and soon forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ledger.past import AsOf
from projections.lately import _JOB_BYTES, Lately
from projections.question import Query, Telling

pytestmark = pytest.mark.anyio


def say(_: tuple[object, ...], about: str) -> bytes:
    return about.encode()


TELLING = Telling(("number",), say, "here")
QUERY = Query("a")


async def test_a_newer_version_takes_the_place_of_the_older_one() -> None:
    lately = Lately()
    lately.keep("a", TELLING, {1: (1, b"old"), 2: (5, b"other")})
    lately.keep("a", TELLING, {1: (2, b"new")})
    assert lately.words("a", TELLING) == {1: (2, b"new"), 2: (5, b"other")}


async def test_what_is_said_of_something_else_is_kept_apart() -> None:
    lately = Lately()
    lately.keep("a", TELLING, {1: (1, b"here")})
    for other in (Telling(("number",), say, "there"), Telling(("id",), say, "here")):
        assert lately.words("a", other) == {}
    assert lately.words("b", TELLING) == {}


async def test_each_moment_of_the_past_has_its_own() -> None:
    lately = Lately()
    lately.keep("a", TELLING, {1: ((1, 3), b"then")}, AsOf(5))
    lately.keep("a", TELLING, {1: (3, b"now")})
    assert lately.words("a", TELLING, AsOf(5)) == {1: ((1, 3), b"then")}
    assert lately.words("a", TELLING) == {1: (3, b"now")}
    for moment in (AsOf(6), AsOf(5, datetime(2024, 5, 30, tzinfo=UTC))):
        assert lately.words("a", TELLING, moment) == {}


async def test_a_question_is_known_when_it_comes_again() -> None:
    lately = Lately()
    assert [lately.asked(QUERY), lately.asked(QUERY), lately.asked(Query("b"))] == [
        *(False, True, False)
    ]


async def test_how_few_there_were_is_known_of_the_same_question_alone() -> None:
    lately = Lately()
    assert lately.few(QUERY) is None
    lately.keep_few(QUERY, few=False)
    lately.keep_few(Query("b"), few=True)
    assert (lately.few(QUERY), lately.few(Query("b"))) == (False, True)
    assert lately.few(replace(QUERY, as_of=AsOf(1))) is None
    lately.forget()
    assert (lately.few(QUERY), lately.size_bytes) == (None, 0)


async def test_all_is_forgotten_after_a_time_also_when_nobody_asks() -> None:
    lately = Lately(kept_s=0)
    lately.keep("a", TELLING, {1: (1, b"text")})
    lately.asked(QUERY)
    assert lately.size_bytes > 0
    forgotten = asyncio.Event()
    # Timers that are due together ring in the order of their times.
    asyncio.get_running_loop().call_later(0.001, forgotten.set)
    await forgotten.wait()
    assert (lately.words("a", TELLING), lately.size_bytes) == ({}, 0)
    assert not lately.asked(QUERY)


async def test_the_time_counts_from_the_first_that_was_kept() -> None:
    """Or what is asked for again and again would never be read again."""
    lately = Lately()
    lately.keep("a", TELLING, {1: (1, b"text")})
    first = lately._forgetting
    lately.keep("a", TELLING, {2: (1, b"text")})
    assert lately._forgetting is first


async def test_it_holds_no_more_than_its_bytes() -> None:
    one = _JOB_BYTES + 100
    lately = Lately(bytes_max=10 * one)
    for number in range(1_000):
        lately.keep("a", TELLING, {number: (1, bytes(100))})
        assert lately.size_bytes <= 10 * one
        assert len(lately.words("a", TELLING)) == min(10, len(lately.words("a", TELLING)))
        assert number in lately.words("a", TELLING)


async def test_what_is_larger_than_all_of_it_is_not_kept() -> None:
    lately = Lately(bytes_max=1_000)
    lately.keep("a", TELLING, {1: (1, bytes(2_000))})
    assert (lately.words("a", TELLING), lately.size_bytes) == ({}, 0)
