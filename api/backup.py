"""Backup and restore of the embedded database, on PostgreSQL's own pg_basebackup and pg_verifybackup.

Physical, since it is exact: roles, owners, policies and read models come along, which a dump would have to make again. A database of your own
has an administrator and tools of its own. Invariants: a backup is taken while the ledger serves, and holds every event that was answered before
it began; nothing restored can be served before it was verified; what is older than what the notary signed goes on under another name only, with
a reason that is signed; the secret is only in a backup when asked for, the notary's key and memory never. Units: positions, bytes.
Errors: NotOurs, NoBackup, BackupFailed, SetBack, Unverified."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from api.checks import CHECKS, Wanted, made
from api.place import Place, Where, has_ledger
from ledger import checkpointer, embedded, migrate, sql, tree
from ledger.connection import Role, conninfo
from ledger.errors import LedgerError
from ledger.notary import Notary
from ledger.settings import BACKUP_S_MAX, DIGEST_EVENTS_MAX

SQL = sql.load(__file__)

MANIFEST = "ledger.json"
FORM = 1  # of the manifest


class NotOurs(LedgerError):
    """The database is not embedded."""

    code = "not_ours"
    hint = "Back a database of your own up with its own tools: pg_basebackup, its provider's snapshots, or archived WAL for any point in time."


class NoBackup(LedgerError):
    """There is no backup here, or no room for one."""

    code = "no_backup"
    hint = (
        "Name a folder that `jobledger backup` made; to make one, a folder that is not there yet."
    )


class BackupFailed(LedgerError):
    """A program of PostgreSQL's ended with an error."""

    code = "backup_failed"
    hint = "The message is PostgreSQL's own; `jobledger doctor` may explain it. LEDGER_POSTGRES_BIN names other programs."


class SetBack(LedgerError):
    """The notary has signed more than the backup holds, so that its log cannot go on as if nothing had been lost."""

    code = "set_back"
    hint = (
        "Look for a newer backup. `jobledger restore --set-back REASON` goes on with this one: it begins another log, whose first statement says"
        " what was signed before, and why that ended."
    )


class Unverified(LedgerError):
    """What was restored is not what was backed up, so it is not served."""

    code = "unverified"
    hint = "Restore an older backup. This one was left as it is, for whoever looks into it."


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds at least: the log up to `position`, and the hash of it. `migrations` and `version` say which ledger made it."""

    position: int
    digest: str
    migrations: int
    made_at: str
    secret: bool
    form: int = FORM


def backup(place: Place, folder: Path, *, with_secret: bool) -> Manifest:
    """Copy the running database into a new folder."""
    if place.embedded is None:
        raise NotOurs(f"{place} is not the ledger's own.")
    if folder.exists() and any(folder.iterdir()):
        raise NoBackup(f"{folder} is not empty.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with place.owner() as connection:
        position = _one(connection, "head")[0]
        found = Manifest(
            position,
            digest(connection, position),
            len(migrate.migrations()),
            datetime.now(UTC).isoformat(),
            with_secret,
        )
    copy = ("--checkpoint=fast", "--wal-method=stream", "--manifest-checksums=SHA256")
    _run(
        place.embedded.bin_dir,
        "pg_basebackup",
        f"--dbname={place.dsn}",
        f"--pgdata={folder / 'postgres'}",
        *copy,
    )
    if with_secret:
        shutil.copy2(place.secret_path, folder / "secret")
    # Last: a folder without it is no backup.
    (folder / MANIFEST).write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    return found


def manifest_of(folder: Path) -> Manifest:
    """What a backup says of itself. Raises NoBackup."""
    try:
        found = Manifest(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise NoBackup(f"{folder} holds no whole backup: {error}.") from error
    if found.form != FORM or found.migrations > len(migrate.migrations()):
        raise NoBackup(f"The backup in {folder} was made by a newer ledger.")
    return found


def restore(folder: Path, where: Where, *, set_back: str | None = None) -> dict[str, Any]:
    """Make a database out of a backup, verify it, and only then put it where `serve` finds it. The backup stays as it is.

    `set_back`: why a backup may be older than what the notary signed; another log then begins in it."""
    if where.data is None or where.database_url is not None:
        raise NotOurs("A backup is restored into a data folder.")
    if has_ledger(where.data):
        raise NoBackup(f"There is a ledger in {where.data} already.")
    found = manifest_of(folder)
    _run(embedded.default_bin_dir(), "pg_verifybackup", "--quiet", str(folder / "postgres"))
    staging = where.data / "restoring"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o755, parents=True)
    try:
        shutil.copytree(folder / "postgres", staging / "postgres", symlinks=True)
        if found.secret and not (where.data / "secret").exists():
            shutil.copy2(folder / "secret", where.data / "secret")
        with _started(staging, where) as place:
            told = _verified(place, found, set_back)
        (staging / "postgres").rename(where.data / "postgres")
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return told


@contextmanager
def _started(staging: Path, where: Where) -> Iterator[Place]:
    """The copy, running where nobody else looks; the secret and the notary's memory are those of the place it is for."""
    server = embedded.start(staging)
    try:
        yield Place(where, server.dsn(), server)
    finally:
        server.stop()


def _verified(place: Place, manifest: Manifest, set_back: str | None) -> dict[str, Any]:
    """Hold the copy against the manifest, the notary's memory, and everything that `jobledger verify` knows. Raises Unverified, SetBack."""
    with place.owner() as connection:
        head = _one(connection, "head")[0]
        if head < manifest.position or digest(connection, manifest.position) != manifest.digest:
            raise Unverified(
                f"The log up to position {manifest.position} is not the one that was backed up."
            )
        digest(connection, head)
    # Only now: a migration may add columns, and the hash is of those that there were.
    migrate.migrate(place.dsn)
    lost = _lost(place, head)
    if lost is not None and set_back is None:
        raise SetBack(lost)
    faults: list[str] = []
    undone: list[str] = []
    for check in CHECKS:
        for verdict in made(check, place, Wanted(memory=lost is None)):
            faults += verdict.faults
            undone += [verdict.undone] if verdict.undone else []
    if faults:
        raise Unverified(f"{len(faults)} faults, the first: {faults[0]}")
    begun = None if lost is None or set_back is None else _begun(place, set_back)
    return {
        "position": head,
        "backed_up": manifest.position,
        "digest": manifest.digest,
        "undone": undone,
        "origin": begun,
    }


def _lost(place: Place, head: int) -> str | None:
    """What the notary beside this place remembers, and the copy lacks; None when the copy can go on, or nobody remembers."""
    memory = None if place.notary_dir is None else Notary(place.notary_dir).memory()
    if memory is None:
        return None
    with place.owner() as connection:
        epoch = tree.epoch(connection)
    if epoch is not None and epoch.number < memory.epoch:
        return f"The notary signs {memory.last.origin} by now, and the backup is of {epoch.origin}."
    if memory.last.size <= head:
        return None
    return f"The backup ends at position {head}, and {memory.last.size} events were signed: those behind it would be lost."


def _begun(place: Place, reason: str) -> str:
    """Begin another log in the copy: its name."""
    assert place.notary_dir is not None, "somebody remembers what was signed"
    with psycopg.connect(conninfo(place.dsn, Role.PROVER), autocommit=True) as connection:
        return checkpointer.renew(connection, place.notary_dir, reason).origin


def digest(connection: psycopg.Connection[Any], to: int) -> str:
    """The hash of the log up to a position, in hex. Raises Unverified when its positions are not dense."""
    connection.execute("SET timezone = 'UTC'")
    connection.execute("SET bytea_output = 'hex'")
    connection.execute("SET datestyle = 'ISO'")
    hashed = hashlib.sha256()
    for after in range(0, to, DIGEST_EVENTS_MAX):
        end = min(to, after + DIGEST_EVENTS_MAX)
        count, last, part = _one(connection, "digest", {"after": after, "to": end})
        if (count, last) != (end - after, end):
            raise Unverified(f"Between positions {after + 1} and {end} there are {count} events.")
        hashed.update(part)
    return hashed.hexdigest()


def _one(
    connection: psycopg.Connection[Any], name: str, values: dict[str, int] | None = None
) -> tuple[Any, ...]:
    row = connection.execute(SQL[name], values).fetchone()
    assert row is not None
    return tuple(row)


def _run(bin_dir: Path, program: str, *arguments: str) -> None:
    command = bin_dir / program
    if not command.is_file():
        raise BackupFailed(f"There is no {program} in {bin_dir}.")
    try:
        done = subprocess.run(
            [str(command), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=BACKUP_S_MAX,
        )
    except subprocess.TimeoutExpired as error:
        raise BackupFailed(f"{program} did not end within {BACKUP_S_MAX:g} s.") from error
    if done.returncode != 0:
        raise BackupFailed(f"{program}: {' '.join(done.stderr.split())[-600:]}")
