"""Formulas in CSV: none is left, and every text comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.formula import exact, harmless

TEXTS = st.text(st.sampled_from("'=+-@\t\r\nab 1"), max_size=8)


@given(TEXTS)
def test_every_text_comes_back(text: str) -> None:
    assert exact(harmless(text)) == text


@given(TEXTS)
def test_no_formula_is_left(text: str) -> None:
    assert not harmless(text).startswith(tuple("=+-@\t\r"))


@pytest.mark.parametrize("text", ["", "a=1", "'", "''a", "é", " =1"])
def test_what_is_none_is_left_alone(text: str) -> None:
    assert harmless(text) == text
