"""Shapes of the native operations on keys: what a request body holds and what an answer shows.

Invariants: requests are strict and refuse unknown fields; nothing secret is in a shape but that of a new key.
Units: days, hours; times are RFC 3339."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.keyring.question import Signing
from ledger import settings
from ledger.events import Text

_Granted = Literal["jobs:read", "jobs:write", "jobs:cancel", "audit:read", "keys:manage", "admin"]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    reason: Text | None = Field(None, description="Why, for the account of it.")


class _Made(_In):
    expires_in_days: float | None = Field(
        None, gt=0, le=settings.KEY_DAYS_MAX, description="It ends by itself after so many days."
    )
    public_key: str | None = Field(
        None, max_length=64, description="Of an ed25519 key: the client's 32 bytes in base64."
    )


class KeyIn(_Made):
    """A key to be issued, of the project of the key that asks."""

    scopes: list[_Granted] = Field(
        min_length=1,
        max_length=6,
        description="What it may do: nothing that the asking key may not.",
    )
    name: Text | None = Field(
        None, description="The actor of what it writes; else made from its id."
    )
    signature: Signing | None = Field(
        None,
        description="Its requests are signed: GoGrid's way (md5), or as RFC 9421 has it. Else it is sent whole.",
    )


class RotationIn(_Made):
    """How a key is taken over by another."""

    overlap_hours: float = Field(
        settings.KEY_OVERLAP_HOURS,
        ge=0,
        le=settings.KEY_DAYS_MAX * 24,
        description="How long both are good.",
    )


class RevocationIn(_In):
    """Why a key is ended."""


class KeyOut(BaseModel):
    """A key, without anything secret."""

    model_config = ConfigDict(extra="forbid")

    key_id: str
    project: str
    name: str
    scopes: list[str]
    signature: Signing | None
    replaces: str | None = Field(description="The key that it takes over from.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class IssuedOut(KeyOut):
    """A new key, with what is shown this once."""

    key: str | None = Field(description="What is sent as Authorization: Bearer KEY.")
    shared_secret: str | None = Field(description="What requests are signed with.")


class KeysOut(BaseModel):
    """Keys by age, those that ended too, and the address of the next page, null on the last one."""

    keys: list[KeyOut]
    next: str | None


class ActOut(BaseModel):
    """What was done to a key, by whom."""

    model_config = ConfigDict(extra="forbid")

    nth: int
    at: datetime
    act: Literal["created", "rotated", "revoked"]
    key_id: str
    actor: str
    by_key: str | None = Field(description="The key that did it; null for the operator's command.")
    reason: str | None


class ActsOut(BaseModel):
    """Acts, the newest first, and the address of the next page, null on the last one."""

    acts: list[ActOut]
    next: str | None
