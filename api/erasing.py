"""Erasing at a place: the log, the read models, the keys, and what PostgreSQL remembers of them.

Invariants: a command that ended well has left nothing of what it erased in any table; how long the WAL and backups keep it, README tells.
Units: none. Errors: the eraser's; NamedByKey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg

from api import keys
from api.commands.progress import bar
from api.place import Place
from api.transfer.catch_up import catch_up
from ledger import eraser, scrub, store
from ledger.connection import Role, conninfo
from ledger.eraser import Done, Order
from ledger.errors import LedgerError
from ledger.settings import REBUILD_TIMEOUT_S


class NamedByKey(LedgerError):
    """A key that works is named after the person."""

    code = "named_by_key"
    hint = "Its name is the actor of whatever is written with it. Revoke it, and issue another by another name, then erase."


@contextmanager
def connection(place: Place, role: Role) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection in a role; statements may take long."""
    words = conninfo(place.dsn, role, statement_timeout_s=REBUILD_TIMEOUT_S)
    with psycopg.connect(words, autocommit=True) as opened:
        yield opened


def erase(place: Place, order: Order, *, dry_run: bool = False) -> Done:
    """Erase, and wait until the read models follow. Raises NamedByKey, and what the eraser raises."""
    with place.keeper() as keeper:
        for one in keys.listed(keeper, project=order.project):
            if order.person.found(one.name) and one.refusal(datetime.now(UTC)) is None:
                raise NamedByKey(f"The key {one.key_id} bears this name and still works.")
    with (
        bar("jobs") as progress,
        connection(place, Role.AUDITOR) as reading,
        connection(place, Role.ERASER) as erasing,
    ):
        done = eraser.erase(reading, erasing, order, progress, dry_run=dry_run)
    if done.bodies and not dry_run:
        catch_up(place, place.asked(store.head))
        with place.owner() as owner:
            scrub.forget_samples(owner)
    return done


def rewrite(place: Place) -> bool:
    """Write every table anew, so that no page holds what was erased; False when the old files wait for the server's next checkpoint."""
    with bar("tables") as progress, place.owner() as owner:
        return scrub.rewrite(owner, progress)
