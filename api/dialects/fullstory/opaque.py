"""Ids as FullStory's clients see them: opaque words that may end in equals signs.

Invariants: every job has exactly one such word, the base64 of its id; the id itself is understood as well. Errors: UnknownJob."""

from __future__ import annotations

import base64
import binascii
from uuid import UUID

from ledger.errors import UnknownJob


def opaque(job_id: UUID) -> str:
    """A job's id for clients."""
    return base64.urlsafe_b64encode(job_id.bytes).decode()


def job_id(word: str) -> UUID:
    """The job that a client's word names."""
    try:
        if len(word) != len(opaque(UUID(int=0))):
            return UUID(word)
        found = UUID(bytes=base64.b64decode(word, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise UnknownJob("There is no such job.") from error
    # Several words can hold the same bytes; only one of them is the id.
    if opaque(found) != word:
        raise UnknownJob("There is no such job.")
    return found
