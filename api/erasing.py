"""Erasing at a place: the log, the read models, the keys, and what PostgreSQL remembers of them.

Invariants: a command that ended well has left nothing of what it erased in any table, and nothing more comes by a key of that name: for one that
was ended a moment ago it waits until every server knows. How long the WAL and backups keep it, README tells. Units: seconds.
Errors: the eraser's; NamedByKey."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import psycopg

from api import keys
from api.commands.progress import bar
from api.place import Place
from api.transfer.catch_up import catch_up
from ledger import eraser, scrub, settings, store
from ledger.connection import Role, conninfo
from ledger.eraser import Done, Order
from ledger.errors import LedgerError
from ledger.settings import REBUILD_TIMEOUT_S

# Servers believe a key that was ended for KEY_CACHE_S; then they answer, and keep what they refused.
_LAST_WORDS_S: Final = settings.KEY_CACHE_S + settings.REFUSALS_PAUSE_S + 1.5


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
    _silence(place, order, wait=not dry_run)
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


def _silence(place: Place, order: Order, *, wait: bool) -> None:
    """See to it that nothing more comes by a key of this name. Raises NamedByKey."""
    rest_s = 0.0
    with place.keeper() as keeper:
        now = datetime.now(UTC)
        for one in keys.listed(keeper, project=order.project):
            if not order.person.found(one.name):
                continue
            if one.refusal(now) is None:
                raise NamedByKey(f"The key {one.key_id} bears this name and still works.")
            ended = min(at for at in (one.revoked_at, one.expires_at) if at is not None)
            rest_s = max(rest_s, _LAST_WORDS_S - (now - ended).total_seconds())
    if wait and rest_s > 0:
        time.sleep(rest_s)


def rewrite(place: Place) -> bool:
    """Write every table anew, so that no page holds what was erased; False when the old files wait for the server's next checkpoint."""
    with bar("tables") as progress, place.owner() as owner:
        return scrub.rewrite(owner, progress)
