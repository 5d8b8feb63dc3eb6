"""Repeated keys in a body: found wherever they lie, and nothing else is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import repeats
from api.faults import BadSyntax

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSONS)
def test_what_has_no_key_twice_passes(value: object) -> None:
    repeats.refuse(json.dumps(value).encode())


@given(JSONS, st.text(max_size=20), st.booleans())
def test_what_has_one_twice_is_refused(value: object, key: str, escaped: bool) -> None:
    first = json.dumps(key)
    second = json.dumps(key, ensure_ascii=escaped)
    inner = json.dumps(value)
    for body in (
        f"{{{first}: {inner}, {second}: {inner}}}",
        f' \n[1, {{"a": [{{{first}: 1, "b {len(key)}": {inner}, {second}: 2}}]}}]',
    ):
        with pytest.raises(BadSyntax, match="twice in one object"):
            repeats.refuse(body.encode("utf-8", "surrogatepass").replace(b"\x00", b"0"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"a=1&a=2",
        b"{",
        b"[" * 100_000,
        b"\xff\xfe{",
        b'{"a":',
        b"1" * 5_000,
        b'{"a":1e999}',
    ],
)
def test_what_is_no_json_is_left_to_its_reader(body: bytes) -> None:
    repeats.refuse(body)


@pytest.mark.parametrize("more", [b',"note":"x"', b',"event":"queued"', b',"event":"queued" '])
def test_only_an_event_that_says_nothing_else_is_bare(more: bytes) -> None:
    """What is bare is not looked at, and what was read of it is kept: neither may hold of a body with a second key, or with a value of somebody's."""
    assert repeats.BARE.fullmatch(b'{"event":"queued"}')
    assert not repeats.BARE.fullmatch(b'{"event":"queued"' + more + b"}")
    assert not repeats.BARE.fullmatch(b'{"event":"queued"}\n')


def test_what_begins_as_a_bare_event_does_is_looked_at() -> None:
    """Seen red with a body that was taken for bare by its beginning."""
    for _ in range(2):
        with pytest.raises(BadSyntax):
            repeats.refuse(b'{"event":"queued","event":"x"}')
