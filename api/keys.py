"""API keys: how one looks, and how an operator issues, lists, rotates and revokes them.

Invariants: a key is shown once, when it is issued; the database keeps a keyed hash of it, and a sealed shared secret where signatures have to
be computed. The key id is public and unique. A key is `jl_ID_SECRET_CHECKSUM`, so that a typo is told without a look-up. Whatever is done to a
key is written down with it: by whom, and why. Units: days, hours. Errors: UnknownKey, Invalid, Unauthenticated, Rotated."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row, kwargs_row

from api.faults import Unauthenticated
from api.operation import Scope
from api.secret import Secret
from ledger import settings, sql
from ledger.errors import Invalid, LedgerError
from ledger.words import fits

SQL = sql.load(__file__)

PREFIX = "jl"
_BASE62 = string.digits + string.ascii_letters
_SECRET_LENGTH = 43  # characters: the first length of base 62 that holds 256 bits
_CHECKSUM_LENGTH = 6  # characters: one typo in 57 billion passes
_KEY = re.compile(
    rf"{PREFIX}_([0-9a-f]{{16}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})_([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})",
    re.ASCII,
)
_PUBLIC_BYTES = 32  # an Ed25519 public key, raw
KEY_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)

# How requests are signed: GoGrid's way, or as RFC 9421 has it.
Signature = Literal["md5", "hmac-sha256", "ed25519"]

Connection = psycopg.Connection[tuple[Any, ...]]


class UnknownKey(LedgerError):
    """There is no key with this id."""

    code = "unknown_key"
    hint = "`jobledger keys list` shows the ids; an id is the part of a key between jl_ and the next underscore."


class Rotated(LedgerError):
    """The key cannot be rotated now."""

    code = "rotated"
    hint = "Two keys are good at once, not more: revoke one of them first, or rotate the newer one when the older has ended."


@dataclass(frozen=True, slots=True)
class By:
    """Who does something to a key, and why: for the account of it."""

    actor: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as the database keeps it. `name` is the actor of the events that it writes, `replaces` the key that it takes over from."""

    key_id: str
    project: str
    name: str
    scopes: tuple[str, ...]
    key_hash: bytes = field(repr=False)
    sealed_secret: bytes | None = field(repr=False)
    signature: Signature | None
    public_key: bytes | None = field(repr=False)
    replaces: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @property
    def signing(self) -> bool:
        """Whether it was issued for signed requests."""
        return self.signature is not None

    def refusal(self, now: datetime) -> str | None:
        """Why the key is no longer good, in a word; None when it is good."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return None


def stored_key(*, scopes: Sequence[str], **columns: Any) -> StoredKey:
    """A row of access.keys, for psycopg's kwargs_row."""
    return StoredKey(scopes=tuple(scopes), **columns)


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key, on the only occasion it is seen. `shared_secret` is what a signing client signs with; its api_key is the key id.

    `key` is empty where requests are signed as RFC 9421 has it: a key that could also be sent whole would be no better than one."""

    stored: StoredKey
    key: str = field(repr=False)
    shared_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Draft:
    """A key that was made up and is not kept yet: what the database is to keep of it, and what it is not."""

    row: dict[str, Any] = field(repr=False)
    key: str = field(repr=False)
    shared_secret: str | None = field(repr=False)

    def issued(self, stored: StoredKey) -> Issued:
        """The key, now that it is kept."""
        key = self.key if stored.signature in (None, "md5") else ""
        return Issued(stored, key, self.shared_secret)


def parse(text: str, secret: Secret) -> str:
    """The key id of a key that this ledger may have issued. Raises Unauthenticated, without asking the database."""
    match = _KEY.fullmatch(text)
    if match is None:
        raise Unauthenticated("This is not an API key of the job ledger.")
    key_id, random, checksum = match.groups()
    # The checksum is keyed: a made-up key ends here and costs no look-up.
    if not secrets.compare_digest(_checksum(key_id, random, secret), checksum):
        raise Unauthenticated("The API key is mistyped or cut: its checksum does not fit.")
    return key_id


def create(
    connection: Connection,
    secret: Secret,
    *,
    project: str,
    scopes: Sequence[Scope],
    name: str | None = None,
    expires_in_days: float | None = None,
    signature: Signature | None = None,
    public_key: bytes | None = None,
    replaces: str | None = None,
    by: By = By("operator"),
) -> Issued:
    """Issue a key. `public_key`: 32 bytes, for ed25519. Raises Invalid when the project, the name, the scopes or the days make no sense."""
    made = draft(secret, project, scopes, name, expires_in_days, signature, public_key)
    row = {**made.row, "replaces": replaces, "actor": by.actor, "reason": by.reason}
    with connection.cursor(row_factory=kwargs_row(stored_key)) as cursor:
        stored = cursor.execute(SQL["create"], row).fetchone()
    assert stored is not None
    return made.issued(stored)


def draft(
    secret: Secret,
    project: str,
    scopes: Sequence[Scope],
    name: str | None,
    expires_in_days: float | None,
    signature: Signature | None,
    public_key: bytes | None,
) -> Draft:
    """A new key that is not kept yet. Raises Invalid when the project, the name, the scopes or the days make no sense."""
    _check(project, scopes, name, expires_in_days)
    fits_ed25519 = public_key is not None and len(public_key) == _PUBLIC_BYTES
    if not (fits_ed25519 if signature == "ed25519" else public_key is None):
        raise Invalid(
            "An ed25519 key, and no other, has a public key of 32 bytes.", field="public_key"
        )
    key_id = secrets.token_hex(8)
    random = _random(_SECRET_LENGTH)
    key = f"{PREFIX}_{key_id}_{random}_{_checksum(key_id, random, secret)}"
    shared_secret = _random(_SECRET_LENGTH) if signature in ("md5", "hmac-sha256") else None
    row = {
        "key_id": key_id,
        "project": project,
        "name": name or f"key {key_id}",
        "scopes": sorted({scope.value for scope in scopes}),
        "key_hash": secret.hash(key),
        "sealed_secret": secret.seal(shared_secret, bound_to=key_id) if shared_secret else None,
        "signature": signature,
        "public_key": public_key,
        "expires_in": timedelta(days=expires_in_days) if expires_in_days is not None else None,
    }
    return Draft(row, key, shared_secret)


def rotate(
    connection: Connection,
    secret: Secret,
    key_id: str,
    *,
    overlap_hours: float = settings.KEY_OVERLAP_HOURS,
    expires_in_days: float | None = None,
    public_key: bytes | None = None,
    by: By = By("operator"),
) -> Issued:
    """Issue a key like this one, which stays good for `overlap_hours` more. Raises UnknownKey, Invalid, and Rotated where two are good already."""
    if not 0 <= overlap_hours <= settings.KEY_DAYS_MAX * 24:
        raise Invalid("The overlap is 0 hours or more.", field="overlap_hours")
    with connection.transaction():
        with connection.cursor(row_factory=kwargs_row(stored_key)) as cursor:
            old = cursor.execute(SQL["hold"], {"key_id": key_id}).fetchone()
        if old is None:
            raise _unknown(key_id)
        now = connection.execute("SELECT clock_timestamp()").fetchone()
        assert now is not None
        if reason := old.refusal(now[0]):
            raise Rotated(f"The key {key_id} is {reason}.")
        if connection.execute(SQL["successors"], {"key_id": key_id}).fetchone():
            raise Rotated(f"The key {key_id} was rotated already, and its successor is good.")
        issued = create(
            connection,
            secret,
            project=old.project,
            scopes=[scope for scope in Scope if scope.value in old.scopes],
            name=old.name,
            expires_in_days=expires_in_days,
            signature=old.signature,
            public_key=public_key,
            replaces=key_id,
            by=by,
        )
        retired = {"key_id": key_id, "overlap": timedelta(hours=overlap_hours)}
        connection.execute(SQL["retire"], retired)
    return issued


def listed(connection: Connection, *, project: str | None = None) -> tuple[StoredKey, ...]:
    """All keys, or those of one project, by project and then by age."""
    with connection.cursor(row_factory=kwargs_row(stored_key)) as cursor:
        return tuple(cursor.execute(SQL["listed"], {"project": project}).fetchall())


def revoke(connection: Connection, key_id: str, by: By = By("operator")) -> StoredKey:
    """End a key; a second time changes nothing. Raises UnknownKey."""
    row = {"key_id": key_id, "actor": by.actor, "reason": by.reason}
    with connection.cursor(row_factory=kwargs_row(stored_key)) as cursor:
        stored = cursor.execute(SQL["revoke"], row).fetchone()
    if stored is None:
        raise _unknown(key_id)
    return stored


def acts(
    connection: Connection, *, project: str | None = None, limit: int = settings.ACTS_SHOWN_MAX
) -> tuple[dict[str, Any], ...]:
    """What was done to keys, the newest first: at, act, key_id, project, actor, reason."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return tuple(cursor.execute(SQL["acts"], {"project": project, "limit": limit}).fetchall())


def _unknown(key_id: str) -> UnknownKey:
    # It may be a whole key, pasted by mistake.
    shown = repr(key_id) if KEY_ID.fullmatch(key_id) else "this id"
    return UnknownKey(f"There is no key with {shown}.")


def _check(
    project: str, scopes: Sequence[Scope], name: str | None, expires_in_days: float | None
) -> None:
    for field_name, text in (("project", project), ("name", name)):
        if text is not None and (not text.isprintable() or not fits(text)):
            raise Invalid(
                f"The {field_name} of a key is printable and has 1 to {settings.WORD_BYTES_MAX} bytes of UTF-8.",
                field=field_name,
            )
    if not scopes or Scope.PUBLIC in scopes:
        raise Invalid("A key needs at least one scope, and `public` is none.", field="scopes")
    if expires_in_days is not None and not 0 < expires_in_days <= settings.KEY_DAYS_MAX:
        raise Invalid(
            f"A key expires after more than 0 and at most {settings.KEY_DAYS_MAX} days.",
            field="expires_in_days",
        )


def _random(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def _checksum(key_id: str, random: str, secret: Secret) -> str:
    number = int.from_bytes(secret.checksum(f"{PREFIX}_{key_id}_{random}")[:8])
    characters = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_BASE62))
        characters.append(_BASE62[digit])
    return "".join(characters)
