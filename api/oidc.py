"""OpenID Connect: bearer tokens of one issuer, and what the operator grants to those who bring them.

Invariants: algorithms, issuer, audience and the address of the keys are the operator's and never the token's; keys are fetched at most once in
OIDC_FETCH_PAUSE_S, however many unknown ones are named; a token grants nothing that the file does not say. Units: seconds.
Errors: Misconfigured for the file; Untrusted, which is for the log; Busy when the issuer's keys cannot be had."""

from __future__ import annotations

import asyncio
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.operation import Principal, Scope
from ledger import settings
from ledger.errors import Busy, Misconfigured

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]


class Untrusted(Exception):
    """The token is not good here; the text says why."""


class Grant(BaseModel):
    """Whoever's token has `value` in `claim` has these scopes in this project."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    claim: str
    value: str
    project: str = Field(min_length=1)
    scopes: tuple[Scope, ...] = Field(min_length=1)


class Trust(BaseModel):
    """The operator's file: whose tokens are believed, and what they grant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str
    jwks_url: str = Field(pattern=r"^https://|^http://(127\.0\.0\.1|localhost|\[::1\])[:/]")
    audience: str
    algorithms: tuple[Algorithm, ...] = ("RS256",)
    name_claim: str = "sub"
    grants: tuple[Grant, ...] = Field(min_length=1, alias="grant")


def trust_of(file: Path) -> Trust:
    """What the file says. Raises Misconfigured."""
    try:
        return Trust.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}.") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise Misconfigured(f"{file}: {place}: {fault['msg']}.") from error


class Issuer:
    """One issuer's tokens, for one process. `clock` counts seconds and never runs backwards."""

    def __init__(self, trust: Trust, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._trust = trust
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at_s = -float("inf")
        self._fetching = asyncio.Lock()

    async def principal(self, token: str) -> Principal:
        """Who brings this token. Raises Untrusted, Busy."""
        claims = await self._claims(token)
        grants = self._granted(claims)
        if not grants:
            raise Untrusted("the operator's file grants nothing to it")
        name = str(claims.get(self._trust.name_claim) or claims["sub"])[
            : settings.WORD_BYTES_MAX // 4
        ]
        project, scopes = next(iter(grants.items()))
        key_id = f"oidc:{claims['sub']}"[: settings.WORD_BYTES_MAX // 4]
        return Principal(key_id, name, project, scopes, grants)

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            named = jwt.get_unverified_header(token).get("kid")
            key = await self._key(named)
            try:
                return self._read(token, key)
            except jwt.InvalidSignatureError:
                if named is not None or (newer := await self._key(None, anew=True)) is key:
                    raise
                return self._read(token, newer)
        except jwt.PyJWTError as error:
            raise Untrusted(f"{type(error).__name__}: {str(error)[:200]}") from error

    def _read(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        found: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(self._trust.algorithms),
            audience=self._trust.audience,
            issuer=self._trust.issuer,
            leeway=settings.OIDC_LEEWAY_S,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
        return found

    async def _key(self, key_id: object, *, anew: bool = False) -> jwt.PyJWK:
        """The issuer's key of this id, or its only one where a token names none. Fetched when it is not known, or what is known is old."""
        async with self._fetching:
            age_s = self._clock() - self._fetched_at_s
            unknown = anew or (key_id is not None and key_id not in self._keys)
            pause_s = settings.OIDC_FETCH_PAUSE_S if unknown else settings.OIDC_KEYS_S
            if age_s >= pause_s:
                self._keys = await asyncio.to_thread(self._fetch)
                self._fetched_at_s = self._clock()
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if not isinstance(key_id, str) or key_id not in self._keys:
            raise Untrusted("it was signed by a key that the issuer does not show")
        return self._keys[key_id]

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        try:
            with urllib.request.urlopen(  # noqa: S310 - the address is the operator's, and Trust checked its scheme
                self._trust.jwks_url, timeout=settings.OIDC_FETCH_S
            ) as answer:
                found = jwt.PyJWKSet.from_json(answer.read(settings.OIDC_KEYS_BYTES_MAX))
        except (OSError, urllib.error.URLError, ValueError, jwt.PyJWTError) as error:
            raise Busy("The issuer's keys cannot be had.", retry_after_s=5) from error
        return {key.key_id: key for key in found.keys if key.key_id}

    def _granted(self, claims: dict[str, Any]) -> dict[str, frozenset[Scope]]:
        granted: dict[str, frozenset[Scope]] = {}
        for grant in self._trust.grants:
            said = claims.get(grant.claim)
            values = said if isinstance(said, list) else str(said).split() if said else []
            if grant.value in map(str, values) or said == grant.value:
                scopes = frozenset(grant.scopes) - {Scope.PUBLIC}
                granted[grant.project] = granted.get(grant.project, frozenset()) | scopes
        return granted
