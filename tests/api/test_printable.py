"""Text for terminals: shown, never obeyed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.printable import printable


@given(st.text())
def test_one_line_of_printable_characters(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown.splitlines() in ([], [shown])
    shown.encode()
    if text.isprintable():
        assert shown == text


def test_what_attackers_send() -> None:
    assert printable("a\x1b[2Jb\r\n\x07\u202e\ud800é") == r"a\x1b[2Jb\r\n\x07\u202e\ud800é"
