"""Questions about keys: what somebody who manages those of a project asks for.

Invariants: parsed and immutable; each is of one project. Units: days, hours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Signing = Literal["md5", "hmac-sha256", "ed25519"]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be issued. `public_key`: 32 bytes, of an ed25519 key."""

    project: str
    scopes: tuple[str, ...]
    name: str | None = None
    expires_in_days: float | None = None
    signature: Signing | None = None
    public_key: bytes | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key that takes over from another, which stays good for a while."""

    project: str
    key_id: str
    overlap_hours: float
    expires_in_days: float | None = None
    public_key: bytes | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Revocation:
    """A key to be ended."""

    project: str
    key_id: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class KeyList:
    """The project's keys by age, behind one of them."""

    project: str
    after: str | None
    limit: int


@dataclass(frozen=True, slots=True)
class KeyActs:
    """What was done to the project's keys, the newest first, before one of these acts."""

    project: str
    before: int
    limit: int


KeyQuestion = NewKey | Rotation | Revocation | KeyList | KeyActs


@dataclass(frozen=True, slots=True)
class KeysFound:
    """What came of it: rows to be shown, and of a new key what is shown this once."""

    rows: tuple[dict[str, Any], ...]
    key: str | None = field(default=None, repr=False)
    shared_secret: str | None = field(default=None, repr=False)
