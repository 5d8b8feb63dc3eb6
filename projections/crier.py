"""The crier's words: what the fold of a read model tells other processes, and what it means.

Invariants: what is told is a hint and may be lost, since whoever waits looks as well; it comes with the fold's commit, so that it is true. A notice
holds the read model's name and its position."""

from __future__ import annotations

from typing import Final

from ledger.wake import FOLLOWED

CHANNEL: Final = FOLLOWED


def news(name: str, position: int) -> tuple[str, str]:
    """The channel and the words of a notice."""
    return CHANNEL, f"{name} {position}"


def told(payload: str) -> tuple[str, int]:
    """What a notice says; position 0 when it makes no sense."""
    name, _, position = payload.partition(" ")
    return name, int(position) if position.isdecimal() and len(position) < len(str(2**63)) else 0
