"""Where a ledger is: the database and the secret that a command works with.

Invariants: LEDGER_DATABASE_URL or --database-url names the database where it is set, and the data folder then holds only the secret; else the
embedded PostgreSQL of the data folder is attached to, or started and afterwards stopped, whatever ends the command. A folder without a ledger
is not made into one by a question. Errors: Nowhere, NoLedger, NotRunning, NoDatabase, Unprepared, Misconfigured."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr, ValidationError

from api import keys, secret
from api.ending import Ending
from api.secret import Secret
from ledger import embedded, migrate, sessions
from ledger.connection import Role, conninfo, lively
from ledger.errors import LedgerError, Misconfigured
from ledger.settings import CONNECT_TIMEOUT_S, Settings

Answer = TypeVar("Answer")
Connection = AsyncConnection[tuple[Any, ...]]


class NoLedger(LedgerError):
    """There is no ledger in this folder."""

    code = "no_ledger"
    hint = "Is --data what you meant? `jobledger serve --data DIR` makes a new ledger there."


class Nowhere(LedgerError):
    """Nobody said where the ledger is."""

    code = "nowhere"
    hint = "For a first try: --data ./ledger. LEDGER_DATA or LEDGER_DATABASE_URL saves saying it again."


class NotRunning(LedgerError):
    """The embedded database does not run."""

    code = "not_running"
    hint = "Start it with `jobledger serve --data DIR`; it runs as long as that command does."


class NoDatabase(LedgerError):
    """The database does not answer."""

    code = "no_database"
    hint = (
        "If it says that it starts, recovers or accepts no connections yet: try again in a few seconds.\n"
        "Else: does it run, and are the address, the user and the password in LEDGER_DATABASE_URL right?"
    )


class Unprepared(LedgerError):
    """The database lacks what this version of the ledger needs."""

    code = "unprepared"
    hint = "Run `jobledger migrate` when nobody else is upgrading it; it goes forward only."


def operator_settings() -> Settings:
    """The LEDGER_* variables as they are now. Raises Misconfigured, naming the one that makes no sense."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"LEDGER_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
            for fault in error.errors()
        )
        raise Misconfigured(f"The environment cannot be understood: {wrong}.") from error


@dataclass(frozen=True, slots=True)
class Where:
    """What the operator said of the place, on the command line or else in LEDGER_* variables."""

    data: Path | None
    database_url: SecretStr | None
    secret_file: Path | None

    @classmethod
    def said(cls, data: Path | None = None, database_url: str | None = None) -> Where:
        """The command line's words, completed by the environment's. Raises Nowhere, Misconfigured."""
        settings = operator_settings()
        url = SecretStr(database_url) if database_url else settings.database_url
        where = cls(data or settings.data, url, settings.secret_file)
        if where.data is None and where.database_url is None:
            raise Nowhere("Say where the ledger is, by --data DIR or by LEDGER_DATABASE_URL.")
        return where


@dataclass(slots=True, eq=False)
class Place:
    """An opened place. `dsn` may hold a password; `embedded` is the server when it is ours, and changes only by `revive`."""

    where: Where
    dsn: str = field(repr=False)
    embedded: embedded.Server | None = None

    def __str__(self) -> str:
        """The database in words, without its password."""
        if self.embedded is not None:
            return f"the embedded PostgreSQL in {self.embedded.data_dir}"
        return f"PostgreSQL, {_address(self.dsn)}"

    @property
    def secret_path(self) -> Path:
        """Where the secret lies or would lie. Raises Misconfigured when nobody said."""
        if self.where.secret_file is not None:
            return self.where.secret_file
        if self.where.data is None:
            raise Misconfigured(
                "Say where the secret that protects keys is, by LEDGER_SECRET_FILE or --data."
            )
        return self.where.data / "secret"

    @property
    def notary_dir(self) -> Path | None:
        """Where the keys and the memory of checkpoints lie; None when nobody said, and nothing is signed then."""
        chosen = operator_settings().notary_dir
        if chosen is not None or self.where.data is None:
            return chosen
        return self.where.data / "notary"

    def secret(self) -> Secret:
        """The ledger's secret; a ledger that never issued a key gets one in its data folder."""
        path = self.secret_path
        if self.where.secret_file is not None or path.exists():
            return secret.read(path)
        # A new secret beside old keys would quietly shut everybody out.
        with self.keeper() as connection:
            row = connection.execute(keys.SQL["any_issued"]).fetchone()
        if row == (True,):
            raise Misconfigured(
                f"The secret {path} is missing, and keys were issued under it: bring it back from a backup, or, if it"
                " is lost, delete all rows of access.keys and issue new keys."
            )
        return secret.read_or_make(path)

    @contextmanager
    def owner(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection as the database's owner: for migrations and looking after."""
        with psycopg.connect(
            self.dsn, autocommit=True, application_name="jobledger command"
        ) as connection:
            yield connection

    @contextmanager
    def keeper(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection that may look after keys, and do nothing else."""
        with psycopg.connect(conninfo(self.dsn, Role.KEEPER), autocommit=True) as connection:
            yield connection

    def revive(self) -> bool:
        """Start the embedded database again if it has ended, at the same address; True when that was so."""
        ended = self.embedded
        if ended is None or ended.is_running():
            return False
        self.embedded = embedded.start(ended.data_dir)
        ended.leave()
        return True

    def asked(self, question: Callable[[Connection], Awaitable[Answer]]) -> Answer:
        """The answer to a question, asked in a role that may only read."""

        async def ask() -> Answer:
            async with await AsyncConnection.connect(
                conninfo(self.dsn, Role.AUDITOR), autocommit=True
            ) as connection:
                return await question(connection)

        return asyncio.run(ask())


@contextmanager
def opened(
    where: Where, *, make: bool = False, prepare: bool | None = None, ending: Ending | None = None
) -> Iterator[Place]:
    """The place, ready to use. `make`: a folder without a ledger becomes one. `prepare`: migrate, or leave the schema as it is.

    By default the embedded database is migrated, since it is this installation's own; another is only checked."""
    with ExitStack() as leaving:
        if ending is None:
            ending = leaving.enter_context(Ending())
        with ending.patient():
            place = _open(where, make=make)
            leaving.callback(_leave, place, ending)
        try:
            _prepare(place, prepare)
            yield place
        except psycopg.OperationalError as error:
            raise NoDatabase(
                f"{_sentence(place)} does not answer: {_first_line(error)}."
            ) from error


def running_dsn(where: Where) -> str:
    """The connection string of the running database; nothing is started. Raises NotRunning."""
    if where.database_url is not None:
        return where.database_url.get_secret_value()
    assert where.data is not None
    server = embedded.running(where.data)
    if server is None:
        raise NotRunning(f"No PostgreSQL runs in {where.data}.")
    # We do not leave it: leaving as the last would stop it, and whoever asks for the address wants to use it.
    return server.dsn()


def has_ledger(data: Path) -> bool:
    """Whether the folder holds an embedded database."""
    return (data / "postgres" / "PG_VERSION").exists()


def _open(where: Where, *, make: bool) -> Place:
    if where.database_url is not None:
        return Place(where, _bounded(where.database_url.get_secret_value()))
    assert where.data is not None
    if not make and not has_ledger(where.data):
        raise NoLedger(f"There is no ledger in {where.data}.")
    server = embedded.start(where.data)
    return Place(where, server.dsn(), server)


def _leave(place: Place, ending: Ending) -> None:
    if place.embedded is not None:
        with ending.patient():
            place.embedded.leave()


def _bounded(dsn: str) -> str:
    """The connection string with a limit on connecting, unless it has one."""
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        # psycopg's own message repeats the string, and so perhaps the password.
        raise Misconfigured("The database URL cannot be understood.") from error
    if "connect_timeout" not in given:
        dsn = psycopg.conninfo.make_conninfo(dsn, connect_timeout=int(CONNECT_TIMEOUT_S))
    return lively(dsn)


def _prepare(place: Place, prepare: bool | None) -> None:
    if prepare or (prepare is None and place.embedded is not None):
        migrate.migrate(place.dsn)
    elif prepare is None:
        with place.owner() as connection:
            missing = pending(connection)
        if missing:
            raise Unprepared(
                f"{_sentence(place)} lacks {len(missing)} migrations, the first of them {missing[0]}."
            )
    if place.embedded is None and prepare is not False:
        sessions.check(place.dsn)


def pending(connection: psycopg.Connection[tuple[Any, ...]]) -> tuple[str, ...]:
    """The names of the migrations that the database lacks; all of them when it never was a ledger."""
    row = connection.execute("SELECT to_regclass('ledger.migrations') IS NULL").fetchone()
    missing = migrate.migrations() if row == (True,) else migrate.pending(connection)
    return tuple(f"{migration.number:04}_{migration.name}" for migration in missing)


def _address(dsn: str) -> str:
    given = conninfo_to_dict(dsn)
    host, port = given.get("host") or "the local socket", given.get("port") or 5432
    return f"database {given.get('dbname') or given.get('user') or 'default'} on {host}:{port}"


def _sentence(place: Place) -> str:
    text = str(place)
    return text[0].upper() + text[1:]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
