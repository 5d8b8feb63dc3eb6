"""Pools: the connections that one process borrows, for questions that do not walk and for batches that it takes.

Invariants: every connection is of one role, of which the reader sees no project until a statement says which; a pool is opened by its owner, and who
waits too long for a connection, or behind too many, is told so; who gets no answer on one has lost it. Errors: psycopg_pool's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger import settings
from ledger.connection import Role, alive, conninfo, heard


class Pool(AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]):
    """Connections in autocommit mode that are given up when the server says nothing on them."""

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - for a connection, as in psycopg_pool
    ) -> AsyncIterator[AsyncConnection[tuple[Any, ...]]]:
        """One of them, for as long as a question may take."""
        async with super().connection(timeout) as connection:
            with heard(connection):
                yield connection


def questions(dsn: str, connections_max: int) -> Pool:
    """Connections for any question, planned for its values."""
    return _pool(dsn, Role.READER, "questions", min(2, connections_max), connections_max)


def nonces(dsn: str, connections_max: int) -> Pool:
    """Connections to remember nonces on: as readers may, by a function that writes."""
    return _pool(dsn, Role.READER, "nonces", 0, connections_max)


def batches(dsn: str) -> Pool:
    """Connections to take batches on: few are taken at once."""
    return _pool(dsn, Role.APP, "batches", 0, settings.BATCHES_TAKEN_AT_ONCE_MAX)


def _pool(dsn: str, role: Role, name: str, least: int, most: int) -> Pool:
    return Pool(
        conninfo(dsn, role),
        kwargs={"autocommit": True},
        min_size=least,
        max_size=most,
        timeout=settings.POOL_ACQUIRE_TIMEOUT_S,
        reconnect_timeout=settings.POOL_ACQUIRE_TIMEOUT_S,
        max_waiting=settings.POOL_WAITING_MAX,
        check=alive,
        open=False,
        name=name,
    )
