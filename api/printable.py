"""Text that a terminal shows and does not obey.

Invariants: pure; what comes out is one line of printable characters, and what was printable before is untouched."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with control characters, line breaks and lone surrogates written as Python's escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
