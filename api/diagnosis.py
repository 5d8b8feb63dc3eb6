"""A diagnosis of one place: everything that can be wrong with it, and what to do about each.

Invariants: CHECKS is the whole list; a check looks and changes nothing; one that cannot be made is a finding too, and the others go on.
Units: in the words of each finding. Errors: none; what would be one is a finding."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import psycopg

from api import secret, vitals, walls
from api.place import Place, pending
from ledger import durability, migrate, sql
from ledger.connection import Role
from ledger.errors import LedgerError
from ledger.settings import DISK_FREE_BYTES_MIN, SERVER_VERSION_MIN
from ledger.standing import NO_ANCHOR, standing
from projections.position import positions

SQL = sql.load(__file__)

_GUARDED = {"stored_events", "identities", "idempotency_keys"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `do` says what to do when it is not `good`."""

    check: str
    good: bool
    says: str
    do: str = ""


Verdict = tuple[bool, str, str]


@dataclass(eq=False)
class Patient:
    """The place under examination, and its connection, opened by the first check that needs it."""

    place: Place
    open: ExitStack

    @cached_property
    def connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as the database's owner."""
        return self.open.enter_context(self.place.owner())

    def rows(self, name: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query of diagnosis.sql finds."""
        return self.connection.execute(SQL[name], values).fetchall()


def diagnose(place: Place) -> tuple[Finding, ...]:
    """Every check, in the table's order."""
    with ExitStack() as open_:
        patient = Patient(place, open_)
        return tuple(_made(name, check, patient) for name, check in CHECKS)


def _made(name: str, check: Callable[[Patient], Verdict], patient: Patient) -> Finding:
    try:
        return Finding(name, *check(patient))
    except LedgerError as error:
        return Finding(name, False, str(error), error.hint)
    except psycopg.Error as error:
        words = str(error).strip().partition("\n")[0]
        return Finding(
            name, False, f"PostgreSQL says: {words}.", "See whether the other findings explain it."
        )


def _environment(_: Patient) -> Verdict:
    migrate.refuse_library_functions()
    return True, "No variable is set that would change how events are appended.", ""


def _folder(patient: Patient) -> Verdict:
    data = patient.place.where.data
    if data is None:
        return True, "No data folder is used.", ""
    mode = stat.S_IMODE(data.stat().st_mode)
    free_bytes = shutil.disk_usage(data).free
    if mode & 0o022:
        return False, f"Others may write into {data} (mode {mode:04o}).", f"chmod go-w {data}"
    return (
        free_bytes >= DISK_FREE_BYTES_MIN,
        f"{data} is ours to write, with {free_bytes // 2**20} MiB free.",
        f"Make room: below {DISK_FREE_BYTES_MIN // 2**20} MiB a busy ledger may soon have to refuse appends.",
    )


def _secret(patient: Patient) -> Verdict:
    path = patient.place.secret_path
    good, issued = patient.rows("keys")[0]
    if not path.exists() and not issued:
        return True, "There is no secret yet, and no key was issued under one.", ""
    kept = secret.read(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return False, f"Others may read the secret {path} (mode {mode:04o}).", f"chmod 600 {path}"
    for key_id, sealed in patient.rows("sealed"):
        kept.open(sealed, bound_to=key_id)
    return True, f"The secret {path} is ours alone; {good} of {issued} keys are good.", ""


def _server(patient: Patient) -> Verdict:
    version = patient.connection.info.server_version
    return (
        version >= SERVER_VERSION_MIN,
        f"PostgreSQL {version // 10_000}.{version % 10_000} answers: {patient.place}.",
        f"Upgrade it to PostgreSQL {SERVER_VERSION_MIN // 10_000} or later.",
    )


def _durability(patient: Patient) -> Verdict:
    found = dict(patient.rows("settings"))
    off = durability.unsafe(found)
    sums = f"checksums of pages are {found['data_checksums']}"
    if off:
        return (
            False,
            f"{', '.join(off)} is off, so acknowledged events could be lost.",
            "Turn it on, then reload.",
        )
    if found["server_encoding"] != "UTF8":
        return (
            False,
            f"The encoding is {found['server_encoding']}.",
            "Make a database with the encoding UTF8.",
        )
    return True, f"What is acknowledged is on disk; {sums}.", ""


def _migrations(patient: Patient) -> Verdict:
    missing = pending(patient.connection)
    known = len(migrate.migrations())
    if missing:
        return (
            False,
            f"{len(missing)} of {known} migrations are missing: {', '.join(missing)}.",
            "jobledger migrate",
        )
    return True, f"All {known} migrations are applied, as this version has them.", ""


def _roles(patient: Patient) -> Verdict:
    found = {name: rest for name, *rest in patient.rows("roles", [role.value for role in Role])}
    for role in Role:
        if role.value not in found:
            return (
                False,
                f"The role {role.value} is missing.",
                "Restore it: CREATE ROLE, then the grants of the migrations.",
            )
        mighty, may_change, ours = found[role.value]
        if mighty or may_change:
            return (
                False,
                f"{role.value} may do more than append and read.",
                f"ALTER ROLE {role.value} or REVOKE it.",
            )
        if not ours:
            return (
                False,
                f"This login may not act as {role.value}.",
                f"GRANT {role.value} TO the login of the ledger.",
            )
    return True, "No role of ours may do more than its part: read, append, fold, or keep keys.", ""


def _walls(patient: Patient) -> Verdict:
    return walls.standing(patient.connection)


def _login(patient: Patient) -> Verdict:
    return walls.login(patient.connection, patient.place.dsn)


def _guards(patient: Patient) -> Verdict:
    missing = _GUARDED - {name for (name,) in patient.rows("guards")}
    return (
        not missing,
        f"Nothing guards {', '.join(sorted(missing))} against changes."
        if missing
        else "Triggers refuse every change of what was recorded.",
        "Put the trigger append_only back, and find out who removed it and what was changed meanwhile.",
    )


def _log(patient: Patient) -> Verdict:
    counted, last = patient.rows("head")[0]
    return (
        counted == last,
        f"The log ends at position {last}"
        + ("." if counted == last else f", and {counted} were counted."),
        "Events were removed by hand, or the head was: restore a backup beside this one and compare.",
    )


def _projections(patient: Patient) -> Verdict:
    reached = patient.place.asked(positions)
    for name, one in reached.items():
        if one.error:
            return (
                False,
                f"{name} stopped behind position {one.position}: {one.error}.",
                f"Look at the event behind it; when the ledger was mended, jobledger rebuild {name}",
            )
    return vitals.kept(patient.connection, reached)


def _clock(patient: Patient) -> Verdict:
    return vitals.clock(patient.connection)


def _connections(patient: Patient) -> Verdict:
    return vitals.connections(patient.connection)


def _maintenance(patient: Patient) -> Verdict:
    return vitals.switched(patient.connection)


def _checkpoint(patient: Patient) -> Verdict:
    found, notary = patient.place.asked(standing), patient.place.notary_dir
    if (
        notary is not None
        and notary.is_dir()
        and (mode := stat.S_IMODE(notary.stat().st_mode)) & 0o077
    ):
        return (
            False,
            f"Others may look into the notary's folder {notary} (mode {mode:04o}).",
            f"chmod 700 {notary}",
        )
    if found.stopped:
        return False, f"Nothing is signed: {found.stopped}", found.hint or ""
    if found.origin is None:
        return True, "No checkpoint was signed yet: nothing is protected against tampering.", ""
    says = f"{found.origin} is signed up to {found.size}; {found.lag} events are not protected yet."
    return True, says, ""


def _anchors(patient: Patient) -> Verdict:
    found = patient.place.asked(standing).anchors
    now = datetime.now(UTC)
    failing = [(one, why) for one in found if (why := one.trouble(now))]
    if failing:
        words = "; ".join(f"{one.sink} at {one.size}: {why}" for one, why in failing)
        return False, f"Checkpoints are not taken by {words}.", "See why the place refuses them."
    if not found:
        return True, f"Mind: {NO_ANCHOR}.", ""
    return True, "Taken last: " + ", ".join(f"{one.sink} {one.size}" for one in found) + ".", ""


# The order is that of causes: what stands below may be wrong because of what stands above.
CHECKS: tuple[tuple[str, Callable[[Patient], Verdict]], ...] = (
    ("environment", _environment),
    ("data folder", _folder),
    ("server", _server),
    ("durability", _durability),
    ("connections", _connections),
    ("migrations", _migrations),
    ("clock", _clock),
    ("roles", _roles),
    ("login", _login),
    ("walls", _walls),
    ("guards", _guards),
    ("log", _log),
    ("secret", _secret),
    ("maintenance", _maintenance),
    ("projections", _projections),
    ("checkpoint", _checkpoint),
    ("anchors", _anchors),
)
