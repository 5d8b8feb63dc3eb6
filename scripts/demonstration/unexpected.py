"""What the demo did not expect: it checks everything that it shows.

Invariants: the sentence says what was asked, what came and what should have come. Errors: Unexpected itself."""

from __future__ import annotations


class Unexpected(Exception):
    """Something answered otherwise than the demo says it does."""


def check(holds: bool, sentence: str) -> None:
    """Go on only if it holds. Raises Unexpected with the sentence."""
    if not holds:
        raise Unexpected(sentence)
