"""Refusals of the database: one without room, or away, is the caller's Busy and not our crash.

Invariants: nothing was changed by what is refused here. Errors: Busy, Behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests

from api.faults import Behind
from ledger.errors import Busy


@asynccontextmanager
async def refusals() -> AsyncIterator[None]:
    """Word what the database refuses meanwhile."""
    try:
        yield
    except (PoolTimeout, TooManyRequests) as error:
        raise Busy("All database connections are taken.") from error
    except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable) as error:
        raise Busy("The question took longer than the ledger allows.", retry_after_s=5) from error
    except psycopg.errors.UndefinedTable as error:
        raise Behind("The read models are being built for the first time.") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Busy("The database does not answer.") from error
