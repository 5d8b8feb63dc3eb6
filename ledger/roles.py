"""The database roles that the ledger speaks as, and what makes them.

Invariants: none of them owns a table of the log, and none may log in as more than itself; a role sees and does what grants and row-level
security say, whatever the code asks. Errors: Misconfigured, with the statements that an administrator of the server has to run."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import psycopg

from ledger import sql
from ledger.errors import Misconfigured

SQL = sql.load(__file__)


class Role(StrEnum):
    """Who speaks. `jobledger_log`, which owns the ways into the log, is none of them: nobody logs in as it."""

    READER = "jobledger_reader"  # the API's questions: sees the projects of ledger.sight, and nothing without it
    APP = "jobledger_app"  # commits, for all projects: reads the log and calls ledger.append and ledger.append_all
    PROJECTOR = "jobledger_projector"  # reads the log, owns the read models
    PROVER = "jobledger_prover"  # reads the log, owns nothing, adds to the tree over it
    AUDITOR = "jobledger_auditor"  # the operator's questions: reads everything but keys
    KEEPER = "jobledger_keeper"  # issues and ends keys, and nothing else
    ERASER = "jobledger_eraser"  # calls ledger.erase, places holds, sets how long values are kept


def ensure(connection: psycopg.Connection[Any]) -> None:
    """Make the roles that are missing, and let this login act as them. Raises Misconfigured when it may not."""
    try:
        connection.execute(SQL["ensure"])
    except psycopg.errors.InsufficientPrivilege as error:
        names = ", ".join([*(role.value for role in Role), "jobledger_log"])
        raise Misconfigured(
            f"This login may not make the ledger's roles ({error.diag.message_primary}). Have an administrator"
            f" CREATE ROLE each of {names}, and GRANT them to {connection.info.user}."
        ) from error
