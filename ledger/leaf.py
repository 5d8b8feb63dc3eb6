"""Leaves: what of an event stands in the tree. A leaf discloses that there is an event at its position, and commits to all the rest.

  leaf     = 0x01 position[8] event[32] body[32]
  event    = SHA-256(columns previous)       previous: the leaf hash of the job's event before, else 32 zero bytes
  columns  = SHA-256(blind event_id[16] job_id[16] version[8] occurred recorded project topic credential_id)
  body     = SHA-256(salt body bytes)        without a salt: of the bytes alone
  blind    = SHA-256(blinding[32] position[8])

Invariants: every column that is served is under `columns`, everything else under `body`; what is under a hash cannot be guessed, since both
begin with random bytes; without body and salt an event's leaf stands as before. Units: integers are big-endian, times microseconds since
2000-01-01T00:00Z in 8 bytes behind 0x01, or 0x00 for none; texts are UTF-8 behind their length in 4 bytes, which are 0xffffffff for none."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

VERSION = b"\x01"
NO_PREVIOUS = bytes(32)
LEAF_BYTES = 73
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_NO_TIME = b"\x00"
_NO_TEXT = b"\xff\xff\xff\xff"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of an event that its leaf commits to. Ids are their 16 bytes, times what `moment` makes of them."""

    event_id: bytes
    job_id: bytes
    version: int
    occurred: bytes
    recorded: bytes
    project: str
    topic: str
    credential_id: str | None

    def hash(self, blind: bytes) -> bytes:
        """What the leaf says of them."""
        ids = self.event_id + self.job_id + self.version.to_bytes(8, "big", signed=True)
        texts = _texts(self.project, self.topic, self.credential_id)
        return sha256(blind + ids + self.occurred + self.recorded + texts).digest()


def blind(blinding: bytes, position: int) -> bytes:
    """What blinds the columns of the event at a position, and tells nothing of any other."""
    return sha256(blinding + position.to_bytes(8, "big", signed=True)).digest()


def body_hash(salt: bytes, body: bytes) -> bytes:
    """What the leaf says of a body."""
    return sha256(salt + body).digest()


def leaf(position: int, columns: bytes, previous: bytes, body: bytes) -> bytes:
    """The leaf of an event, from the hashes of its parts."""
    event = sha256(columns + previous).digest()
    return VERSION + position.to_bytes(8, "big") + event + body


def moment(at: datetime | None) -> bytes:
    """A time as it stands under the hash."""
    if at is None:
        return _NO_TIME
    return b"\x01" + struct.pack(">q", (at - _EPOCH) // timedelta(microseconds=1))


# Few are different, and a whole log is read with them.
@lru_cache(maxsize=1024)
def _texts(project: str, topic: str, credential_id: str | None) -> bytes:
    return _text(project) + _text(topic) + _text(credential_id)


def _text(text: str | None) -> bytes:
    if text is None:
        return _NO_TEXT
    written = text.encode()
    return len(written).to_bytes(4, "big") + written
