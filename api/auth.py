"""Authentication: from the credential that a request carries to its principal.

Invariants: a key is believed for at most KEY_CACHE_S without asking the database again, so a revocation bites within that; whatever is wrong
with a credential that could have been good is told by one and the same sentence, and in full only in the log. GoGrid's signature binds neither
path nor body: its principal may only read. Errors: Unauthenticated; Busy when the database does not answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

import psycopg
import structlog
from psycopg.rows import kwargs_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from api import keys, signed
from api.dialects.dialect import ApiKey, Credential, Md5Signature, SignedRequest
from api.dialects.gogrid.signature import matches
from api.faults import Unauthenticated
from api.keys import KEY_ID, StoredKey, stored_key
from api.nonces import Nonces
from api.oidc import Issuer, Untrusted
from api.operation import Asked, Principal, Scope
from api.secret import SECRET_BYTES, Secret, Unsealable
from ledger import settings
from ledger.errors import Busy, LedgerError
from ledger.store import Connection

log = structlog.get_logger("api.auth")

Pool = AsyncConnectionPool[Connection]

REFUSED = "The credential is not valid: unknown, expired, revoked, or not meant for this."
READING = frozenset({Scope.JOBS_READ, Scope.AUDIT_READ})
_SIGNATURE = re.compile(r"[0-9a-f]{32}", re.ASCII)
# Compared when there is no such key: no HMAC anybody can find is all zeros.
_NOBODY = bytes(SECRET_BYTES)


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A key as it was found, or None, and when: seconds of the monotonic clock."""

    stored: StoredKey | None
    read_at_s: float


@dataclass(frozen=True, slots=True)
class _Verified:
    """A key that was presented whole and fitted what was read at that time."""

    stored: StoredKey
    principal: Principal
    read_at_s: float


class Authenticator:
    """Resolves credentials for one process. The pool speaks as jobledger_reader; `clock` counts seconds and never runs backwards."""

    def __init__(
        self,
        pool: Pool,
        nonces: Nonces,
        secret: Secret,
        *,
        issuer: Issuer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._nonces = nonces
        self._issuer = issuer
        self._secret = secret
        self._clock = clock
        self._keys: OrderedDict[str, _Remembered] = OrderedDict()
        self._reading: dict[str, asyncio.Task[StoredKey | None]] = {}
        self._signatures: OrderedDict[tuple[str, str], tuple[bool, float]] = OrderedDict()
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._blinded = hashlib.blake2b(key=secrets.token_bytes(SECRET_BYTES))

    async def resolve(self, credential: Credential, now: datetime) -> Principal:
        """Who presents this credential. Raises Unauthenticated."""
        match credential:
            case ApiKey(key):
                return await self._by_key(key, now)
            case Md5Signature(api_key, sig):
                return await self._by_signature(api_key, sig, now)
            case SignedRequest(asked):
                return await self._by_request(asked, now)
            case _ as never:
                assert_never(never)

    async def hash_of(self, key_id: str) -> bytes | None:
        """The hash of a key that was just presented; None where the principal came without one."""
        stored = await self._stored(key_id) if KEY_ID.fullmatch(key_id) else None
        return stored.key_hash if stored is not None else None

    async def signature_of(self, key_id: str, project: str) -> tuple[keys.Signature | None] | None:
        """How requests with a key of this project are signed, if at all; None where there is no such key."""
        stored = await self._stored(key_id) if KEY_ID.fullmatch(key_id) else None
        return (stored.signature,) if stored is not None and stored.project == project else None

    def remembered(self, credential: Credential, now: datetime) -> Principal | None:
        """Who presents a key that fitted a moment ago; None where that is to be found out."""
        if not isinstance(credential, ApiKey):
            return None
        known = self._verified.get(self._seen(credential.key))
        if (
            known is not None
            and self._clock() - known.read_at_s < settings.KEY_CACHE_S
            and known.stored.refusal(now) is None
        ):
            self._ask_ahead(known.principal.key_id)
            return known.principal
        return None

    def _seen(self, key: str) -> bytes:
        # By a digest that means nothing elsewhere: OpenSSL's HMACs, two a key, also let go of the interpreter each time.
        digest = self._blinded.copy()
        digest.update(key.encode(errors="surrogatepass"))
        return digest.digest()

    async def _by_key(self, text: str, now: datetime) -> Principal:
        if (known := self.remembered(ApiKey(text), now)) is not None:
            return known
        if self._issuer is not None and text.count(".") == 2:
            return await self._by_token(self._issuer, text)
        principal = await self._verify(text, now)
        found = self._keys.get(principal.key_id)
        if found is not None and found.stored is not None:
            verified = _Verified(found.stored, principal, found.read_at_s)
            _remember(self._verified, self._seen(text), verified)
        return principal

    async def _verify(self, text: str, now: datetime) -> Principal:
        try:
            key_id = keys.parse(text, self._secret)
        except Unauthenticated:
            log.warning("credential refused", reason="mistyped or made up", credential="key")
            raise
        stored = await self._stored(key_id)
        same = hmac.compare_digest(stored.key_hash if stored else _NOBODY, self._secret.hash(text))
        if stored is None or not same:
            raise _refused("key", key_id, "unknown" if stored is None else "wrong secret")
        if stored.signature not in (None, "md5"):
            raise _refused("key", key_id, "issued for signed requests only")
        if reason := stored.refusal(now):
            raise _refused("key", key_id, reason, expired=reason == "expired")
        return _principal(stored)

    async def _by_token(self, issuer: Issuer, token: str) -> Principal:
        try:
            return await issuer.principal(token)
        except Untrusted as error:
            raise _refused("token", None, str(error)) from error

    async def _by_request(self, asked: Asked, now: datetime) -> Principal:
        key_id = signed.key_id_of(asked)
        if key_id is None:
            raise _refused("request", None, "names no one key of ours")
        stored = await self._stored(key_id)
        if stored is None or stored.signature is None or stored.signature not in signed.ALGORITHMS:
            unfit = "unknown" if stored is None else "not issued for signed requests"
            raise _refused("request", key_id, unfit)
        if reason := stored.refusal(now):
            raise _refused("request", key_id, reason)
        try:
            key = stored.public_key
            if stored.sealed_secret is not None:
                key = self._secret.open(stored.sealed_secret, bound_to=key_id).encode()
            nonce = signed.verify(asked, key_id, stored.signature, key or b"")
        except (signed.Unfit, Unsealable) as error:
            raise _refused("request", key_id, str(error)) from error
        async with _asking():
            new = await self._nonces.is_new(key_id, nonce)
        if not new:
            raise _refused("request", key_id, "replayed: its nonce was seen before")
        return _principal(stored)

    async def _by_signature(self, api_key: str, sig: str, now: datetime) -> Principal:
        if not (KEY_ID.fullmatch(api_key) and _SIGNATURE.fullmatch(sig)):
            raise _refused("signature", None, "not of our form")
        stored = await self._stored(api_key)
        if stored is None or stored.sealed_secret is None or stored.signature != "md5":
            raise _refused(
                "signature", api_key, "unknown" if stored is None else "not issued for signing"
            )
        if reason := stored.refusal(now):
            raise _refused("signature", api_key, reason)
        if not self._signed(stored, stored.sealed_secret, sig, now):
            raise _refused("signature", api_key, "wrong signature, or made too long ago or ahead")
        return _principal(stored, READING)

    def _signed(self, stored: StoredKey, sealed: bytes, sig: str, now: datetime) -> bool:
        """Whether the signature fits. A verdict is kept as long as a key is: trying each second of the window takes a while."""
        known = self._signatures.get((stored.key_id, sig))
        if known is not None and self._clock() - known[1] < settings.KEY_CACHE_S:
            return known[0]
        try:
            shared_secret = self._secret.open(sealed, bound_to=stored.key_id)
        except Unsealable as error:
            log.error("sealed secret does not open", key_id=stored.key_id, hint=error.hint)
            return False
        fits = matches(stored.key_id, shared_secret, sig, now, settings.SIGNATURE_WINDOW_S)
        _remember(self._signatures, (stored.key_id, sig), (fits, self._clock()))
        return fits

    async def _stored(self, key_id: str) -> StoredKey | None:
        """The key as the database has it, or had it less than KEY_CACHE_S ago."""
        known = self._keys.get(key_id)
        if known is not None and self._clock() - known.read_at_s < settings.KEY_CACHE_S:
            return known.stored
        # Whoever asks for the same key meanwhile waits for the same answer, and may give up without taking it from the others.
        return await asyncio.shield(self._asking(key_id))

    def _asking(self, key_id: str) -> asyncio.Task[StoredKey | None]:
        reading = self._reading.get(key_id)
        if reading is None:
            reading = asyncio.create_task(self._read(key_id), name=f"read key {key_id}")
            self._reading[key_id] = reading
            reading.add_done_callback(lambda task: self._asked(key_id, task))
        return reading

    def _asked(self, key_id: str, task: asyncio.Task[StoredKey | None]) -> None:
        self._reading.pop(key_id)
        if not task.cancelled():
            task.exception()  # whoever waits gets it; where nobody does, the key is asked for again when its time is over

    def _ask_ahead(self, key_id: str) -> None:
        """Look a busy key up before its time is over: else all its requests would wait for one look-up, and be in each other's way."""
        known = self._keys.get(key_id)
        if known is not None and self._clock() - known.read_at_s >= settings.KEY_AHEAD_S:
            self._asking(key_id)

    async def _read(self, key_id: str) -> StoredKey | None:
        # What is read is at least as new as the moment before the question.
        asked_at_s = self._clock()
        async with (
            _asking(),
            self._pool.connection() as connection,
            connection.cursor(row_factory=kwargs_row(stored_key)) as cursor,
        ):
            await cursor.execute(keys.SQL["find"], {"key_id": key_id}, prepare=True)
            stored = await cursor.fetchone()
        _remember(self._keys, key_id, _Remembered(stored, asked_at_s))
        return stored


@asynccontextmanager
async def _asking() -> AsyncIterator[None]:
    """A database that does not answer says nothing of the credential."""
    try:
        yield
    except (
        PoolTimeout,
        TooManyRequests,
        TimeoutError,
        psycopg.OperationalError,
        psycopg.InterfaceError,
    ) as error:
        raise Busy(
            "The credential cannot be looked up, since the database does not answer."
        ) from error


def _remember(memory: OrderedDict[Any, Any], key: object, found: object) -> None:
    memory[key] = found
    memory.move_to_end(key)
    while len(memory) > settings.KEYS_CACHED_MAX:
        memory.popitem(last=False)


def _principal(stored: StoredKey, at_most: frozenset[Scope] | None = None) -> Principal:
    # A scope that this version does not know grants nothing.
    scopes = frozenset(scope for scope in Scope if scope.value in stored.scopes)
    if at_most is not None:
        scopes = at_most if Scope.ADMIN in scopes else scopes & at_most
    return Principal(stored.key_id, stored.name, stored.project, scopes)


def _refused(
    credential: str, key_id: str | None, reason: str, *, expired: bool = False
) -> LedgerError:
    """The one sentence for the caller; the reason is for the log. `expired`: by a caller who has the whole key, and so may know."""
    log.warning("credential refused", reason=reason, credential=credential, key_id=key_id)
    return Unauthenticated(REFUSED, lack="expired" if expired else "invalid")
