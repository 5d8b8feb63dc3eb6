"""Refusals of the database: one without room, or away, is the caller's Busy and not our crash.

Invariants: nothing was changed by what is refused here. Errors: Busy, Behind."""

from __future__ import annotations

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests

from api.faults import Behind
from ledger.errors import Busy, LedgerError


class Refusals:
    """Words what the database refuses within an `async with`. No generator of contextlib, since it stands around every get."""

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, psycopg.Error) and (refusal := _worded(error)) is not None:
            raise refusal from error


_REFUSALS = Refusals()


def refusals() -> Refusals:
    """Word what the database refuses meanwhile."""
    return _REFUSALS


def _worded(error: psycopg.Error) -> LedgerError | None:
    match error:
        case PoolTimeout() | TooManyRequests():
            return Busy("All database connections are taken.")
        case psycopg.errors.QueryCanceled() | psycopg.errors.LockNotAvailable():
            return Busy("The question took longer than the ledger allows.", retry_after_s=5)
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return Behind("The read models are being built.")
        case psycopg.OperationalError() | psycopg.InterfaceError():
            return Busy("The database does not answer.")
        case _:
            return None  # a mistake of ours
