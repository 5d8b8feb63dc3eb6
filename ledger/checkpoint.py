"""Checkpoints: what a tree of the log was at a size, as C2SP's tlog-checkpoint writes it.

Invariants: `Checkpoint.parse(str(x)) == x`; a checkpoint counts only as the text of a signed note (ledger.note). Units: `size` counts events,
so it is also the position of the last one. Errors: BadCheckpoint."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ledger import merkle, note
from ledger.errors import LedgerError
from ledger.note import Verifier


class BadCheckpoint(LedgerError):
    """A text that is no checkpoint, or the checkpoint of another log."""

    code = "bad_checkpoint"
    hint = "A checkpoint's first three lines are the log's origin, its size and its root in base64."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of the log `origin` when it had `size` leaves. `more`: lines of others' making, which we only keep."""

    origin: str
    size: int
    root: bytes
    more: tuple[str, ...] = ()

    def __str__(self) -> str:
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.more))

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint that a text is. Raises BadCheckpoint."""
        lines = text.removesuffix("\n").split("\n")
        if not text.endswith("\n") or len(lines) < 3 or not all(lines):
            raise BadCheckpoint("A checkpoint has at least three lines, and none is empty.")
        origin, size, encoded, *more = lines
        if re.fullmatch(r"0|[1-9][0-9]{0,17}", size) is None:
            raise BadCheckpoint(f"{size[:50]!r} is no size of a tree.")
        try:
            root = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadCheckpoint(f"{encoded[:100]!r} is not base64.") from error
        if len(root) != merkle.HASH_BYTES:
            raise BadCheckpoint(f"The root has {len(root)} bytes instead of 32.")
        return cls(origin, int(size), root, tuple(more))


def opened(
    signed: str | bytes, known: Iterable[Verifier], *, origin: str | None = None
) -> Checkpoint:
    """The checkpoint of a note that a known key vouches for. Raises BadNote, BadCheckpoint when it is of another origin."""
    found = Checkpoint.parse(note.opened(signed, known).text)
    if origin is not None and found.origin != origin:
        raise BadCheckpoint(f"The checkpoint is of {found.origin}, not of {origin}.")
    return found
