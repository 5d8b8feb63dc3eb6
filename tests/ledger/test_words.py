"""What may be a word: bounded in bytes, whatever it is written in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.settings import WORD_BYTES_MAX
from ledger.words import cut, fits, storable, word

LONGEST = ("x" * WORD_BYTES_MAX, "é" * (WORD_BYTES_MAX // 2), "😀" * (WORD_BYTES_MAX // 4))


@pytest.mark.parametrize("longest", LONGEST)
def test_a_word_is_as_long_as_its_bytes(longest: str) -> None:
    assert word(longest) == longest
    for wrong in (longest + "x", "x" + longest, ""):
        with pytest.raises(ValueError, match="1 to 512 bytes"):
            word(wrong)


@pytest.mark.parametrize("wrong", ["\x00", "a\x00", "\ud800", "a\udfff"])
def test_what_cannot_be_stored_is_no_word(wrong: str) -> None:
    for refuse in (word, storable):
        with pytest.raises(ValueError, match=r"U\+0000|surrogate"):
            refuse(wrong)
    assert fits(wrong)


@given(st.text(max_size=400))
def test_what_is_cut_fits_and_is_how_it_begins(text: str) -> None:
    kept = cut(text * 3)
    assert (text * 3).startswith(kept)
    assert not text or fits(kept)
    assert len(kept.encode()) > WORD_BYTES_MAX - 4 or kept == text * 3
