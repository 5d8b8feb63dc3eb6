"""Connections to the ledger's database, each in the role it needs.

Invariants: no connection that answers for others speaks as the database's owner; where the roles may log in, a session is nothing but its role,
and else it starts in it. Every connection has a statement and a lock timeout, and notices a dead network; whoever appends keeps plans that walk
indexes. Units: seconds, but for libpq's milliseconds."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any

from psycopg import AsyncConnection, OperationalError, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger import settings
from ledger.roles import Role

__all__ = ["LOGINS", "Role", "alive", "conninfo", "hang_up", "heard", "restore_loggers"]

# Among the options of a connection string: the ledger's roles may log in here themselves. SET ROLE NONE then gives nothing back.
LOGINS = "-c ledger.logins=on"


# Whoever appends keeps the plans of ledger.append, perhaps from when the tables were short: a sequential scan must never be in one. The function
# itself could say so, but that takes 6 us at each call, and a commit of one event takes 100.
_APPENDS = " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"


def conninfo(
    dsn: str, role: Role, *, statement_timeout_s: float = settings.STATEMENT_TIMEOUT_S
) -> str:
    """`dsn` with the role and the timeouts that its session starts in; RESET ROLE comes back to this role, not to the login."""
    asked = str(conninfo_to_dict(dsn).get("options") or "")
    options = (
        f"-c role={role.value} -c statement_timeout={int(statement_timeout_s * 1000)}"
        f" -c lock_timeout={int(settings.LOCK_TIMEOUT_S * 1000)} -c timezone=UTC -c search_path=ledger,pg_catalog"
    ) + (_APPENDS if role is Role.APP else "")
    login = {"user": role.value} if LOGINS in asked else {}
    return make_conninfo(
        lively(dsn),
        options=f"{asked} {options}".strip(),
        application_name=f"jobledger {role.value}",
        **login,
    )


# libpq's word for each limit that finds out a dead network; unix sockets have none, and ignore them.
LIVELINESS: Mapping[str, int] = MappingProxyType(
    {
        "keepalives_idle": settings.KEEPALIVE_IDLE_S,
        "keepalives_interval": settings.KEEPALIVE_INTERVAL_S,
        "keepalives_count": settings.KEEPALIVE_COUNT,
        "tcp_user_timeout": settings.TCP_USER_TIMEOUT_S * 1000,
    }
)


def lively(dsn: str) -> str:
    """`dsn` with what tells a dead connection from a slow answer, where it does not say otherwise itself."""
    given = conninfo_to_dict(dsn)
    return make_conninfo(
        dsn, **{name: value for name, value in LIVELINESS.items() if name not in given}
    )


async def alive(connection: AsyncConnection[Any]) -> None:
    """Raise when the server has left, as seen from here: it says so before it closes. To ask it would take as long as a question does."""
    if select.select([connection.fileno()], [], [], 0)[0]:
        connection.pgconn.consume_input()
        if connection.pgconn.status != pq.ConnStatus.OK:
            raise OperationalError("the connection is gone")


def hang_up(connection: AsyncConnection[Any]) -> None:
    """End a connection under whoever waits for an answer on it, as if the server had left."""
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as line, suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


@contextmanager
def heard(connection: AsyncConnection[Any]) -> Iterator[None]:
    """Hang up on a server that says nothing for SILENCE_S meanwhile. psycopg waits for it even when whoever asked is cancelled."""
    silence = asyncio.get_running_loop().call_later(settings.SILENCE_S, hang_up, connection)
    try:
        yield
    finally:
        silence.cancel()


def restore_loggers() -> None:
    """Importing eventsourcing.postgres silences psycopg's loggers; an operator wants to hear of lost connections."""
    for name in ("psycopg", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.NOTSET)
