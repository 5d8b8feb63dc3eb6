"""Pools: the connections that the questions of one process are asked on, but for those that walk.

Invariants: every connection is the reader's, who sees no project until a statement says which; a pool is opened by its owner, and who waits too long
for a connection, or behind too many, is told so. Errors: psycopg_pool's own."""

from __future__ import annotations

from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger import settings
from ledger.connection import Role, alive, conninfo

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]


def questions(dsn: str, connections_max: int) -> Pool:
    """Connections for any question, planned for its values."""
    return AsyncConnectionPool(
        conninfo(dsn, Role.READER),
        kwargs={"autocommit": True},
        min_size=min(2, connections_max),
        max_size=connections_max,
        timeout=settings.POOL_ACQUIRE_TIMEOUT_S,
        reconnect_timeout=settings.POOL_ACQUIRE_TIMEOUT_S,
        max_waiting=settings.POOL_WAITING_MAX,
        check=alive,
        open=False,
        name="questions",
    )
