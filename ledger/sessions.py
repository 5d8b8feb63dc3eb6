"""Sessions: what the ledger needs of those that a connection string gives, and a pooler in front of PostgreSQL may take from them.

Invariants: a session is in the role and has the timeouts that it asked for, or the walls between tenants are gone; and it is nobody else's from
one statement to the next, since it holds locks, listens and keeps plans. Units: seconds. Errors: Misconfigured; psycopg's own."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import Connection

from ledger import settings, sql
from ledger.connection import Role, conninfo
from ledger.errors import Misconfigured

SQL: Final = sql.load(__file__)
_REFUSED: Final = (
    "startup parameter"  # in what a pooler says to who asks for a role at the start of a session
)
_INSTEAD: Final = "Name PostgreSQL itself: a pooler in front of it can give the ledger no session of its own in the role that it needs."


def check(dsn: str) -> None:
    """Refuse a connection string that gives other sessions than the ledger needs."""
    asked = conninfo(dsn, Role.READER)
    try:
        with (
            psycopg.connect(asked, autocommit=True, prepare_threshold=None) as one,
            psycopg.connect(asked, autocommit=True, prepare_threshold=None) as other,
        ):
            refuse_shared(one, other)
    except psycopg.OperationalError as error:
        if _REFUSED in str(error):
            raise Misconfigured(
                f"What answers takes no options for a session. {_INSTEAD}"
            ) from error
        raise


def refuse_shared(one: Connection[Any], other: Connection[Any]) -> None:
    """Refuse two sessions of the reader's if they are not what was asked for, or not two."""
    one.execute(SQL["mark"], ("one",))
    other.execute(SQL["mark"], ("other",))
    role, timeout_s, mark = one.execute(SQL["seen"]).fetchone() or (None, None, None)
    if (role, timeout_s) != (Role.READER.value, settings.STATEMENT_TIMEOUT_S):
        found = f"A session that asked to be {Role.READER.value} is {role}, with a statement_timeout of {timeout_s:g} s"
        raise Misconfigured(f"{found}: its options were left out. {_INSTEAD}")
    if mark != "one":
        raise Misconfigured(f"Two sessions turn out to be one and the same. {_INSTEAD}")
