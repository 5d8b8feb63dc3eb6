"""Preferences: what a Prefer header says, and what it only looks like.

Seen red with: parts cut at each comma, quotes or not; parameters taken for the value; names as they are written; the last of a name that counts; the
last line of several; a header that is read however long it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.head import asked_in
from api.operation import Asked
from api.preferences import _KNOWN, LENGTH_MAX, Preference, _read, preferences, prefers


def preferred(text: str) -> tuple[Preference, ...]:
    return preferences(Asked("POST", "/", headers={"prefer": text}))


@pytest.mark.parametrize(
    "text",
    [
        "return=minimal",
        'return="minimal"',
        r'return="mini\mal"',
        "Return=Minimal",
        "return = minimal",
        "\treturn=minimal ",
        "return=minimal; why=traffic",
        'return=minimal ;a; b = "x, return=representation; y"',
        "return=minimal;",
        ",,return=minimal,",
        "wait=10, handling=lenient,return=minimal",
        "return=minimal, return=representation",
        'x="a, respond-async, b", return=minimal',
        r'x="\", respond-async, b", return=minimal',
        "=, @, {}, return=minimal",
    ],
)
def test_one_is_read_however_it_is_written(text: str) -> None:
    assert preferred(text) == ("return=minimal",)


@pytest.mark.parametrize("text", ["respond-async", "RESPOND-ASYNC", "respond-async=", 'respond-async="";a=1'])  # fmt: skip
def test_an_empty_value_is_none(text: str) -> None:
    assert preferred(text) == ("respond-async",)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ",", "return", "return=", "minimal", "return=minimal2", "return:minimal"),
        *("return=whole, return=minimal", "respond-async=5", "respond-async=5, respond-async"),
        *('x="return=minimal', 'x="a, return=minimal, b"', "x;return=minimal"),
        *('return="minimal', 'return="minimal" x', "return minimal", "return=minimal x"),
        f"return=minimal{' ' * LENGTH_MAX}",
    ],
)
def test_what_is_not_known_is_passed_over(text: str) -> None:
    assert preferred(text) == ()


@given(st.permutations(["respond-async", "return=representation", "wait=3", "foo; bar=baz", "é"]))
def test_several_are_told_in_one_order(parts: list[str]) -> None:
    both = ("respond-async", "return=representation")
    assert preferred(", ".join(parts)) == both
    # The same on lines of their own, which are one.
    lines = [(b"prefer", part.encode("latin-1")) for part in parts]
    scope = {"method": "POST", "path": "/", "query_string": b"", "scheme": "http"}
    assert preferences(asked_in({**scope, "headers": lines})) == both


@given(st.text('return=minimal,"\\; \té', max_size=40))
def test_any_text_is_read(text: str) -> None:
    found = preferred(text)
    assert set(found) <= set(_KNOWN)
    assert [one for one in _KNOWN if prefers(Asked("", "", headers={"prefer": text}), one)] == list(
        found
    )


def test_nobody_prefers_anything_by_default() -> None:
    assert preferences(Asked("POST", "/")) == ()


@pytest.mark.parametrize("piece", ['"', '"\\', '"\\"', ",", "a,", "a=", "a=;", '"",', " ", "\t;"])
def test_the_longest_header_ends(piece: str) -> None:
    """What a pattern tries in all ways there are would take longer than a test may."""
    text = (piece * LENGTH_MAX)[:LENGTH_MAX]
    assert _read.__wrapped__(text) == ()


def test_few_are_remembered_and_none_that_is_long() -> None:
    _read.cache_clear()
    long = "x" * (LENGTH_MAX + 1)
    for text in (*(f"x={n}" for n in range(1_000)), long, "return=minimal", "return=minimal"):
        preferred(text)
    kept = _read.cache_info()
    assert (kept.currsize, kept.hits) == (kept.maxsize, 1)
    assert kept.misses == 1_001
