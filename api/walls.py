"""What stands between tenants in this database, and who the ledger's login is: for `doctor`, and for the log when a server starts.

Invariants: looks and changes nothing. Errors: psycopg's own."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ledger import sql
from ledger.connection import LOGINS

SQL = sql.load(__file__)

# What was found, whether it is as it should be, and what to do if not.
Verdict = tuple[bool, str, str]


def standing(connection: psycopg.Connection[Any]) -> Verdict:
    """Whether every table of many projects is behind row-level security, for its owner too."""
    open_ = [name for (name,) in connection.execute(SQL["open"]).fetchall()]
    if open_:
        return (
            False,
            f"Only the API's own filters keep tenants apart in {', '.join(open_)}.",
            "As the owner of each table: SELECT ledger.wall('TABLE'); of a view: ALTER VIEW NAME SET (security_invoker = true).",
        )
    return True, "Row-level security keeps tenants apart in every table and view of theirs.", ""


def login(connection: psycopg.Connection[Any], dsn: str) -> Verdict:
    """What a session could become that leaves its role."""
    if LOGINS in str(conninfo_to_dict(dsn).get("options") or ""):
        return True, "Each session logs in as the role that it needs, and can become no other.", ""
    row = connection.execute(SQL["login"]).fetchone()
    assert row is not None
    name, superuser, bypasses, owns = row
    rights = [
        words
        for words, has in (
            ("is a superuser", superuser),
            ("passes row-level security", bypasses),
            ("owns the log", owns),
        )
        if has
    ]
    if rights:
        return (
            False,
            f"The login {name} {' and '.join(rights)}: sessions take a lesser role, and one that leaves it is held by nothing.",
            "Give `serve` a login that is a member of the ledger's roles and nothing else, and keep this one for `migrate`: README, Tenants.",
        )
    return True, f"The login {name} owns nothing of the log and passes no policy.", ""
