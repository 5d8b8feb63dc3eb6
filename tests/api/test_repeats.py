"""Repeated keys in a body: found wherever they lie, and nothing else is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import repeats
from api.faults import BadSyntax
from ledger import settings

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


def test_a_short_body_is_looked_at_as_any_other_however_often_it_comes() -> None:
    """Seen red with a refusal that is kept as a look that found nothing."""
    short, twice = b'{"event": "queued"}', b'{"event":"queued","event":"x"}'
    assert len(twice) <= settings.BODY_BYTES_SHORT
    for _ in range(3):
        repeats.refuse(short)
        with pytest.raises(BadSyntax):
            repeats.refuse(twice)
