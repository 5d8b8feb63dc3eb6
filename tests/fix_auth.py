"""A door for tests of authentication: an authenticator over a database of the test's own, with a clock that moves when told to.

Invariants: keys are issued as an operator issues them. Units: the clock counts seconds, and `NOW` is the time of every request."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from api import keys
from api.auth import Authenticator, Pool
from api.dialects.dialect import ApiKey, Md5Signature
from api.dialects.gogrid.signature import sign
from api.keys import Issued
from api.nonces import Nonces
from api.operation import Principal, Scope
from api.secret import Secret
from ledger.connection import Role, conninfo

SECRET = Secret(bytes(range(32)))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
READ_WRITE = (Scope.JOBS_READ, Scope.JOBS_WRITE)

Owner = psycopg.Connection[tuple[Any, ...]]


@dataclass
class Clock:
    """A clock that moves when told to."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Door:
    """An authenticator with all that a test needs to know of it."""

    authenticator: Authenticator
    pool: Pool
    owner: Owner
    clock: Clock

    def issue(self, **wishes: Any) -> Issued:
        return keys.create(
            self.owner, SECRET, **{"project": "p", "scopes": READ_WRITE, "name": "Anna", **wishes}
        )

    async def enter(self, issued: Issued, now: datetime = NOW) -> Principal:
        return await self.authenticator.resolve(ApiKey(issued.key), now)

    async def sign(self, issued: Issued, made_at: datetime, now: datetime = NOW) -> Principal:
        signature = Md5Signature(issued.stored.key_id, md5(issued, made_at))
        return await self.authenticator.resolve(signature, now)

    def questions(self) -> int:
        """How often a connection was taken."""
        return int(self.pool.get_stats().get("requests_num", 0))


def md5(issued: Issued, made_at: datetime) -> str:
    """The signature that a client with this key makes at that time."""
    assert issued.shared_secret is not None
    return sign(issued.stored.key_id, issued.shared_secret, math.floor(made_at.timestamp()))


@pytest.fixture
def key_owner(database: str) -> Iterator[Owner]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@asynccontextmanager
async def opened(database: str, owner: Owner) -> AsyncIterator[Door]:
    clock = Clock()
    pool: Pool = AsyncConnectionPool(
        conninfo(database, Role.READER),
        min_size=1,
        max_size=2,
        open=False,
        timeout=30,
        kwargs={"autocommit": True},
    )
    async with pool, Nonces(database) as nonces:
        yield Door(Authenticator(pool, nonces, SECRET, clock=clock), pool, owner, clock)


@pytest.fixture
async def door(database: str, key_owner: Owner) -> AsyncIterator[Door]:
    async with opened(database, key_owner) as door:
        yield door


def key_with(key_id: str, random: str) -> str:
    """A key with a right checksum, whoever made it up."""
    return f"jl_{key_id}_{random}_{keys._checksum(key_id, random, SECRET)}"
