"""A PostgreSQL data folder: made whole or not at all, then configured.

Invariants: a folder named `postgres` has been through initdb and holds the database `ledger`; it only ever answers on a private unix socket.
Our settings are written anew at each start, so that an upgrade brings its own. Errors: CannotStart, with the last words of PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import LedgerError
from ledger.settings import EMBEDDED_START_S
from ledger.unprivileged import Identity, identities

SUPERUSER = "jobledger"
DATABASE = "ledger"
PORT = 5432  # only names the socket file: nothing listens on TCP

SETTINGS: tuple[tuple[str, str, str], ...] = (
    ("fsync", "on", "An answered append must survive a power cut."),
    ("full_page_writes", "on", "A page torn by a crash is repaired from the write-ahead log."),
    ("synchronous_commit", "on", "A commit is on disk before anybody is told of it."),
    ("listen_addresses", "''", "Local trust must never be reachable over the network."),
    ("unix_socket_permissions", "0700", "Only the server's own user and root may connect."),
    (
        "password_encryption",
        "'scram-sha-256'",
        "Should a role ever get a password, it is not stored as md5.",
    ),
    ("shared_buffers", "'128MB'", "Enough for a small ledger, and modest beside an application."),
    (
        "max_connections",
        "100",
        "Several processes with their pools fit; more would only queue for the processors.",
    ),
    (
        "wal_compression",
        "'pglz'",
        "Page images after a checkpoint are most of the log: compressed they cost less disk, and every build has pglz.",
    ),
    ("jit", "off", "Our queries are short, and compiling them takes longer than running them."),
    ("timezone", "'UTC'", "Times are stored and shown in UTC everywhere."),
    ("log_timezone", "'UTC'", "The server's log can then be laid beside our own."),
    ("lc_messages", "'C'", "Error texts are the same on every machine."),
)


class CannotStart(LedgerError):
    """The embedded PostgreSQL did not start."""

    code = "embedded_database"
    hint = (
        "Read postgres.log in the data folder, or name a server of your own in LEDGER_DATABASE_URL."
    )


@dataclass(frozen=True, slots=True)
class Binaries:
    """The folder of PostgreSQL's programs."""

    folder: Path

    @property
    def postgres(self) -> Path:
        """The server itself."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a data folder."""
        return self.folder / "initdb"

    def require(self) -> None:
        """Refuse a folder that lacks them."""
        for program in (self.postgres, self.initdb):
            if not program.is_file():
                raise CannotStart(
                    f"There is no PostgreSQL in {self.folder}: {program.name} is missing."
                )


def identity_for(binaries: Binaries, *folders: Path) -> Identity:
    """Decide by trying who can run PostgreSQL on these folders, and give the folders to that user."""
    reasons: list[str] = []
    for identity in identities(folders[0]):
        refusals = (identity.refusal(folder, binaries.initdb) for folder in folders)
        reason = next((text for text in refusals if text), None)
        if reason is None:
            _give(folders[0], identity)
            return identity
        reasons.append(reason)
    tried = "; ".join(reasons) or "there is no other user"
    raise CannotStart(f"PostgreSQL cannot be run here ({tried}).")


def _give(folder: Path, identity: Identity) -> None:
    """Make that user own everything in the folder; quick when it does already."""
    marker = folder / "PG_VERSION"
    if not marker.exists() or marker.stat().st_uid == identity.owner[0]:
        return
    for path in folder.rglob("*"):
        if path != marker:
            os.chown(path, *identity.owner, follow_symlinks=False)
    os.chown(marker, *identity.owner)  # last, so that a walk cut short is taken up again


def server_environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: nothing of the caller's that could change their meaning."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
        if name in os.environ
    }
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def make(folder: Path, binaries: Binaries) -> None:
    """Make the data folder, with an empty database `ledger` in it, unless it is there."""
    if (folder / "PG_VERSION").exists():
        return
    fresh = folder.with_name(folder.name + ".new")
    if fresh.exists():
        shutil.rmtree(fresh)  # an earlier attempt was killed; nothing was ever stored in it
    fresh.mkdir(mode=0o700)
    try:
        identity = identity_for(binaries, fresh)
        _run(identity, fresh, binaries.initdb, *_initdb_arguments(fresh))
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write("\ninclude = 'jobledger.conf'\n")
        configure(fresh, None, identity)
        # Single-user mode, so that the folder is complete before it gets its name.
        single = ("--single", "-D", str(fresh), "-c", "exit_on_error=on", "postgres")
        _run(identity, fresh, binaries.postgres, *single, script=f"CREATE DATABASE {DATABASE}\n")
    except LedgerError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    fresh.rename(folder)


def _initdb_arguments(folder: Path) -> tuple[str, ...]:
    return (
        *("-D", str(folder), "-U", SUPERUSER, "--encoding=UTF8"),
        *(
            "--locale-provider=libc",
            "--locale=C",
        ),  # the same order of text on every machine, and no ICU needed
        *(
            "--auth=trust",
            "--auth-host=reject",
        ),  # the socket's folder is the guard; TCP is refused twice
        "--data-checksums",
    )


def _run(
    identity: Identity, folder: Path, program: Path, *arguments: str, script: str = ""
) -> None:
    finished = subprocess.run(
        identity.command(folder, program, *arguments),
        input=script,
        capture_output=True,
        text=True,
        env=server_environment(),
        timeout=EMBEDDED_START_S,
        check=False,
    )
    if finished.returncode != 0:
        words = " ".join((finished.stderr or finished.stdout).split()[-60:])
        raise CannotStart(f"{program.name} failed with status {finished.returncode}: {words}")


def configure(folder: Path, socket: Path | None, identity: Identity) -> None:
    """Write our settings beside PostgreSQL's own, each with its reason; without a socket nobody can connect."""
    lines = [
        "# Written by the job ledger at each start: put changes of your own into postgresql.auto.conf."
    ]
    for name, value, reason in (*SETTINGS, ("port", str(PORT), "Names the socket file.")):
        lines.append(f"{name} = {value}  # {reason}")
    way_in = f'"{socket}"' if socket else ""
    lines.append(f"unix_socket_directories = '{way_in}'  # The one way in.")
    written = folder / "jobledger.conf.new"
    written.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.chown(written, *identity.owner)
    written.replace(folder / "jobledger.conf")
