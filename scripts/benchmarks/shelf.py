"""The shelf: data sets with their read models, each a database that others are copied from, kept between runs.

Invariants: a set's name holds its size, its seed and the generator's fingerprint, and one of another generator is thrown away; its comment holds the
fingerprints of schema and read models, and a stale one is brought forward as an operator would: the log is migrated, read models are built anew.
One whose making was broken off is not used, and nobody enters one that is done. Units: sizes in jobs. Errors: Spoilt when read models do not come."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql as composed

from ledger import embedded, migrate
from ledger.errors import Misconfigured
from projections import PROJECTIONS
from projections.build import Build
from projections.runner import Runner
from projections.tracking import Positions
from scripts.benchmarks import dataset
from scripts.benchmarks.follow import SQL, caught_up

Connection = psycopg.Connection[Any]
_PREFIX = "set"
SCENE = "bench"  # what the databases of scenes begin with; then comes the process that they are of


def template(server: embedded.Server, jobs: int, seed: int = dataset.SEED) -> str:
    """The database that holds so many jobs, made now unless it is there."""
    size = f"{_PREFIX}_{jobs}_{seed}_"
    name = size + dataset.fingerprint()
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
        for stale in _databases(admin, size):
            if stale != name:
                drop(admin, stale)
        known = _known(admin, name)
        if known != dataset.fingerprints():
            try:
                with _making(admin, name, anew=not known) as making:
                    _make(server.dsn(making), jobs, seed, known)
            except Misconfigured:
                if not known:
                    raise
                # A migration that it has was changed, as only happens before a release.
                return template(server, jobs, seed)
    return name


def copied(admin: Connection, template: str, database: str) -> None:
    """A database of one's own like that one."""
    # Files are copied as they are, which is quicker than by the write-ahead log for all but the least.
    strategy = "WAL_LOG" if f"{_PREFIX}_0_" in template else "FILE_COPY"
    text = "CREATE DATABASE {} TEMPLATE {} STRATEGY " + strategy
    admin.execute(composed.SQL(text).format(*map(composed.Identifier, (database, template))))


def tidy(server: embedded.Server) -> None:
    """Forget what runs that were killed have left behind."""
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
        for database in _databases(admin, f"{SCENE}_"):
            if not Path(f"/proc/{database.split('_')[1]}").exists():
                drop(admin, database)


def drop(admin: Connection, database: str) -> None:
    """Forget a database, whoever is in it."""
    admin.execute(
        composed.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
            composed.Identifier(database)
        )
    )


def _databases(admin: Connection, prefix: str) -> list[str]:
    found = admin.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (prefix,)
    )
    return [name for (name,) in found]


def _known(admin: Connection, name: str) -> dict[str, str]:
    """The fingerprints of a set; none when it is not there."""
    row = admin.execute(SQL["comment"], (name,)).fetchone()
    return json.loads(row[0]) if row is not None and row[0] else {}


@contextmanager
def _making(admin: Connection, name: str, *, anew: bool) -> Iterator[str]:
    """The database to work in, which goes by the set's name only before and after."""
    making = f"making_{name}"
    names = map(composed.Identifier, (name, making))
    drop(admin, making)
    if anew:
        drop(admin, name)
        admin.execute(composed.SQL("CREATE DATABASE {}").format(composed.Identifier(making)))
    else:
        admin.execute(composed.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))
        _open(admin, making, "true")
    yield making
    told = composed.Literal(json.dumps(dataset.fingerprints()))
    done = composed.Identifier(making)
    admin.execute(composed.SQL("COMMENT ON DATABASE {} IS {}").format(done, told))
    # Nobody may be in a database that is copied, and the autovacuum's own workers step aside.
    _open(admin, making, "false")
    admin.execute(
        composed.SQL("ALTER DATABASE {} RENAME TO {}").format(done, composed.Identifier(name))
    )


def _open(admin: Connection, database: str, allowed: str) -> None:
    text = "ALTER DATABASE {} ALLOW_CONNECTIONS {}"
    admin.execute(composed.SQL(text).format(composed.Identifier(database), composed.SQL(allowed)))


def _make(dsn: str, jobs: int, seed: int, known: dict[str, str]) -> None:
    """Bring a database to what it should be, whatever of it is there."""
    began_s, told = time.monotonic(), dataset.fingerprints()
    migrate.migrate(dsn)
    if not jobs:
        return
    with psycopg.connect(dsn, autocommit=True) as owner:
        if not known:
            dataset.grow(owner, jobs, seed)
            owner.execute("VACUUM (ANALYZE) ledger.stored_events, ledger.identities")
        stale = [one for one in PROJECTIONS if known.get(one.name) != told[one.name]]
        for projection in stale:
            _forget(owner, Build(projection, projection.table, Positions(dsn)))
        runner = Runner(dsn)
        runner.start()
        try:
            caught_up(owner)
        finally:
            runner.stop()
        if stale:
            owner.execute(dataset.SQL["vacuum"])
        row = owner.execute(SQL["head"]).fetchone()
    took_s = time.monotonic() - began_s
    print(f"bench: a set of {row} events took {took_s:.0f} s", file=sys.stderr)


def _forget(owner: Connection, build: Build) -> None:
    """Have a read model built anew, if it was ever built."""
    with owner.transaction():
        owner.execute(SQL["forget_live"], (build.projection.name,))
        build.drop(owner)
