"""CHECKS: what `jobledger verify` looks at, each of which finds what is not as the log, or what was signed of it, has it.

Invariants: a check changes nothing that anybody reads; what it finds, it names; one that cannot be made says so and finds nothing right. A further
check is a row of CHECKS. Errors: the place's; a checkpoint that nobody known signed is a BadNote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg
from psycopg import Connection

from api.commands.progress import bar
from api.place import Place
from api.transfer.catch_up import catch_up
from ledger import audit, checkpoint, schema, settings, store
from ledger.checkpoint import BadCheckpoint, Checkpoint
from ledger.connection import Role, conninfo
from ledger.errors import LedgerError
from ledger.notary import Memory, Notary
from ledger.note import Verifier
from ledger.tree import Epoch
from projections import PROJECTIONS
from projections.rebuild import Compared, compare


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. `faults` are sentences, one for each thing that is wrong; `told` says what was looked at; `shown` goes into --json.

    `undone`: why it could not be made."""

    told: str
    faults: tuple[str, ...] = ()
    shown: dict[str, Any] = field(default_factory=dict)
    undone: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller holds and wants: a checkpoint obtained earlier (a signed note), the keys it believes, and whether to read what is older.

    `memory`: hold the log against what the notary remembers, too."""

    since: str | None = None
    keys: tuple[Verifier, ...] = ()
    full: bool = True
    memory: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """One row of CHECKS: its name, and what it looks at, in verdicts as they are found."""

    name: str
    run: Callable[[Place, Wanted], Iterable[Verdict]]


def log(place: Place, wanted: Wanted) -> Iterable[Verdict]:
    """Every event against its leaf, the leaves against the tree, the tree against every checkpoint."""
    with snapshot(place) as connection:
        known = audit.epochs(connection)
        if not known:
            if wanted.since is not None:
                raise BadCheckpoint("This database was never signed, and the checkpoint is of one.")
            yield Verdict("log: never signed", undone="No checkpoint was ever signed.")
            return
        memory = _memory(place) if wanted.memory else None
        current = max((epoch for epoch, _ in known.values()), key=lambda epoch: epoch.number)
        keys, whose = believed(place, wanted, connection, [*known])
        since = None if wanted.since is None else checkpoint.opened(wanted.since, keys)
        for epoch in _concerned(known, current, since):
            marks = [one for one in (since, memory and memory.last) if one]
            marks = [one for one in marks if one.origin == epoch.origin and one.size]
            quick = since is not None and not wanted.full and since.origin == epoch.origin
            with bar(f"log {epoch.origin}") as progress:
                reading = audit.Audit(connection, epoch, keys, marks, progress)
                found = reading.run(since.size if since is not None and quick else 0)
            if fault := audit.begun(epoch, known[epoch.origin][1], keys):
                found.fault(fault)
            if epoch == current and memory and memory.last.origin != epoch.origin:
                found.fault(
                    f"The notary signs {memory.last.origin}, and the database has {epoch.origin}."
                )
            yield _told(epoch, found, whose)


def _told(epoch: Epoch, found: audit.Findings, whose: str) -> Verdict:
    erased = f", {found.erased} of them erased" if found.erased else ""
    told = (
        f"log {epoch.origin}: {found.events} events read{erased}, {found.checkpoints} checkpoints, {found.wrong} faults;"
        f" {found.unsigned} events are not signed yet; keys {whose}"
    )
    return Verdict(
        told, tuple(found.faults), {"origin": epoch.origin, "keys": whose, **asdict(found)}
    )


def _concerned(
    known: dict[str, tuple[Epoch, str]], current: Epoch, since: Checkpoint | None
) -> Sequence[Epoch]:
    """The log of today, and that of the checkpoint where it was another."""
    if since is None or since.origin == current.origin:
        return [current]
    if since.origin not in known:
        raise BadCheckpoint(
            f"The checkpoint is of {since.origin}, which this database does not know."
        )
    return [known[since.origin][0], current]


def believed(
    place: Place, wanted: Wanted, connection: Connection[Any], origins: Sequence[str]
) -> tuple[tuple[Verifier, ...], str]:
    """The keys to believe, and whose word that is."""
    if wanted.keys:
        return wanted.keys, "as you gave them"
    folder = place.notary_dir
    if folder is not None and (found := Notary(folder).verifiers(origins)):
        return found, "of the notary"
    return audit.published_keys(connection), "as the database itself has them: better give --key"


def _memory(place: Place) -> Memory | None:
    return None if place.notary_dir is None else Notary(place.notary_dir).memory()


@contextmanager
def snapshot(place: Place) -> Iterator[Connection[Any]]:
    """One snapshot of everything, read as the auditor, in which no function but PostgreSQL's own is found."""
    dsn = conninfo(place.dsn, Role.AUDITOR, statement_timeout_s=settings.REBUILD_TIMEOUT_S)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET search_path = pg_catalog")
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            yield connection


def guards(place: Place, _: Wanted) -> Iterable[Verdict]:
    """Triggers, grants, policies, functions and columns, against what the migrations make."""
    try:
        faults = tuple(schema.faults(place.dsn))
    except schema.CannotCompare as error:
        yield Verdict("schema: not compared", undone=f"{error} {error.hint}")
        return
    yield Verdict(
        f"schema: compared with what the migrations make, {len(faults)} differences",
        faults,
        {"faults": list(faults)},
    )


def projections(place: Place, _: Wanted) -> Iterable[Verdict]:
    """Every read model, folded anew from the log beside the live one and compared with it row for row."""
    catch_up(place, place.asked(store.head))
    for projection in PROJECTIONS:
        with bar(projection.name) as progress:
            found = compare(place.dsn, projection.name, progress)
        yield verdict(projection.name, found)


def verdict(name: str, found: Compared) -> Verdict:
    """What a comparison says, in words."""
    return Verdict(
        f"{name}: {found.rows} rows at position {found.position}, {found.different} not as the log has them",
        tuple(f"{name}: {' '.join(key)}" for key in found.keys),
        {"name": name, **found.shown()},
    )


def made(check: Check, place: Place, wanted: Wanted) -> Iterator[Verdict]:
    """A check's verdicts; one that ends in a refusal has found a fault."""
    try:
        yield from check.run(place, wanted)
    except LedgerError as error:
        yield Verdict(f"{check.name}: refused", (str(error),), {"faults": [str(error)]})


CHECKS: tuple[Check, ...] = (
    Check("log", log),
    Check("schema", guards),
    Check("projections", projections),
)
