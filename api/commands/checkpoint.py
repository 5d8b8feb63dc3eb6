"""`jobledger checkpoint`: what was signed of the log, by which keys, and the way on.

Invariants: nothing is signed here, but the statement with which another log begins; a key is never printed, only what it is known by. Units:
positions. Errors: the place's, Refused, Misconfigured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from api import checks
from api.commands.options import Data, DatabaseUrl, Json, command_group
from api.commands.output import remark, say, say_fields, say_json
from api.place import Place, Where, opened
from ledger import audit, checkpointer, proof, tile
from ledger.connection import Role, conninfo
from ledger.errors import Misconfigured
from ledger.notary import Notary
from ledger.tree import Epoch

command = command_group(
    "Show what was signed of the log, its keys, and the way on when it was set back.\n\nCheckpoints are signed by `serve` and `project` while "
    "the log grows. Keep some of them, and the keys, where nobody who looks after the ledger can change them."
)

Name = Annotated[str, typer.Argument(metavar="KEY", help="The name of its file, such as key-1.")]


@command.command()
def show(data: Data = None, database_url: DatabaseUrl = None, json: Json = False) -> None:
    """Print the last checkpoint, to keep it elsewhere.

    \b
    jobledger checkpoint show --data ./ledger > monday.checkpoint

    It is a signed note: the log's name, how many events it has, the root of the tree over them. With --json: {"origin", "size", "note"}.
    """  # noqa: D301 - Typer must see the backspace itself
    with opened(Where.said(data, database_url)) as place:
        signed = place.asked(proof.last)
    if json:
        say_json({"origin": signed.origin, "size": signed.size, "note": signed.note})
    else:
        typer.echo(signed.note, nl=False)


@command.command()
def keys(data: Data = None, database_url: DatabaseUrl = None, json: Json = False) -> None:
    """Print the verifier keys, one a line: what an auditor needs, by a way that can be trusted.

    Keys that sign no more are among them, since they signed what is older.
    """
    with opened(Where.said(data, database_url)) as place, checks.snapshot(place) as connection:
        known, _ = checks.believed(place, checks.Wanted(), connection, [*audit.epochs(connection)])
    found = [str(key) for key in known]
    if json:
        say_json({"keys": found})
        return
    for key in found:
        say(key)


@command.command()
def logs(data: Data = None, database_url: DatabaseUrl = None, json: Json = False) -> None:
    """Print the signed statement that each log began with: from the second one on it says what ended, and why.

    There is a second one only after `jobledger checkpoint renew`. With --json: {"logs": [{"epoch", "origin", "statement"}]}.
    """
    with opened(Where.said(data, database_url)) as place, checks.snapshot(place) as connection:
        found = [(epoch, said) for epoch, said in audit.epochs(connection).values()]
    if json:
        told = [{"epoch": e.number, "origin": e.origin, "statement": said} for e, said in found]
        say_json({"logs": told})
        return
    for _, said in found:
        typer.echo(said)


@command.command()
def leaves(data: Data = None, database_url: DatabaseUrl = None) -> None:
    """Write the leaf of every event as it is served, for a verifier of somebody else's.

    \b
    jobledger checkpoint leaves --data ./ledger | rootcheck VKEY monday.checkpoint

    They are made anew of the rows, not read from the tree: each behind its length in two bytes, as in C2SP's entry bundles.
    scripts/auditor/rootcheck.go holds them against a checkpoint by Go's own golang.org/x/mod/sumdb.
    """  # noqa: D301 - Typer must see the backspace itself
    with opened(Where.said(data, database_url)) as place, checks.snapshot(place) as connection:
        write_leaves(connection)


def write_leaves(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """The leaves of the log that is signed now, on stdout."""
    current = max(
        audit.epochs(connection).values(), key=lambda known: known[0].number, default=None
    )
    if current is None:
        raise proof.NotSigned("The log was never signed.")
    audit.Audit(
        connection,
        current[0],
        (),
        sink=lambda entries: _write(tile.bundled(entries)),
    ).run()


def _write(bundle: bytes) -> None:
    sys.stdout.buffer.write(bundle)


@command.command()
def renew(
    reason: Annotated[str, typer.Option(help="Why, in one line: it is signed and kept.")],
    data: Data = None,
    database_url: DatabaseUrl = None,
    json: Json = False,
) -> None:
    """Begin another log, where the notary refuses to go on with the old one.

    \b
    jobledger checkpoint renew --data ./ledger --reason 'restored the backup of Monday after the disk was lost'

    After a rollback, a restored backup or a lost memory of the notary nothing is signed any more, since it would not continue what was.
    This records what ended, what begins and why in a statement signed under both names. The new log has the same keys, another
    name, and a tree over all events that are there now; old checkpoints stay good for the old one.
    """  # noqa: D301 - Typer must see the backspace itself
    with opened(Where.said(data, database_url)) as place:
        folder = _notary(place).folder
        with psycopg.connect(conninfo(place.dsn, Role.PROVER), autocommit=True) as connection:
            begun: Epoch = checkpointer.renew(connection, folder, reason)
    if json:
        say_json({"epoch": begun.number, "origin": begun.origin})
    else:
        say_fields([("epoch", begun.number), ("origin", begun.origin)])


@command.command("add-key")
def add_key(data: Data = None, database_url: DatabaseUrl = None, json: Json = False) -> None:
    """Make a further key: from now on it signs beside the others.

    Give auditors the new line of `jobledger checkpoint keys`, and retire the old key once they have it.
    """
    with opened(Where.said(data, database_url)) as place:
        name = _notary(place).add_key()
    _say_key(name, json=json)


@command.command("retire-key")
def retire_key(
    name: Name, data: Data = None, database_url: DatabaseUrl = None, json: Json = False
) -> None:
    """Sign no more with a key. What it signed stays good."""
    with opened(Where.said(data, database_url)) as place:
        _notary(place).retire_key(name)
    _say_key(name, json=json)


def _say_key(name: str, *, json: bool) -> None:
    if json:
        say_json({"key": name})
    else:
        say(name)


def _notary(place: Place) -> Notary:
    folder: Path | None = place.notary_dir
    if folder is None:
        raise Misconfigured("Say where the notary's folder is, by LEDGER_NOTARY_DIR or --data.")
    if not folder.is_dir():
        remark(f"{folder} is made now.")
    return Notary(folder)
