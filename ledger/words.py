"""Words: names and ids as the ledger keeps them, short enough to be indexed whatever they are written in.

Invariants: a word has a character at least and at most WORD_BYTES_MAX bytes of UTF-8, so that no index entry made of words outgrows a page,
which would stop a read model for every tenant. Units: bytes. Errors: ValueError with a sentence; Invalid from `kept`."""

from __future__ import annotations

from typing import Final

from ledger.errors import Invalid
from ledger.settings import WORD_BYTES_MAX

TOO_LONG: Final = f"A name has 1 to {WORD_BYTES_MAX} bytes of UTF-8."


def storable(text: str) -> str:
    """A text that PostgreSQL can hold."""
    if text.isascii() and "\x00" not in text:
        return text  # nearly all, in a quarter of the time
    if "\x00" in text:
        raise ValueError("PostgreSQL's text cannot hold the character U+0000.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("The text holds a lone surrogate, which is no character.") from error
    return text


def word(text: str) -> str:
    """A name or an id, letter for letter."""
    if not fits(storable(text)):
        raise ValueError(TOO_LONG)
    return text


def fits(text: str) -> bool:
    """Whether a text is neither empty nor too long for a word. It may hold what cannot be stored."""
    if text.isascii():
        return 0 < len(text) <= WORD_BYTES_MAX
    return 0 < len(text.encode(errors="surrogatepass")) <= WORD_BYTES_MAX


def kept(**texts: str) -> None:
    """Hold what an operator said, by the names of what it is, to what can be kept and read later. Raises Invalid."""
    for name, text in texts.items():
        if not text.strip() or not text.isprintable() or not fits(text):
            raise Invalid(f"Say {name} in a few words on one line: they are kept.", field=name)


def cut(text: str) -> str:
    """As much of a text as a word may hold, in whole characters."""
    return text.encode()[:WORD_BYTES_MAX].decode(errors="ignore")
