"""What a superuser of the database can do to a log, with every guard turned off and without the signing key.

Invariants: an attack keeps what it does not aim at as consistent as it can; the log it is done to has NOW events, those of tests.fix_proof.history.
Mallory's own notary lies in the folder that MALLORY names. Units: positions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from psycopg import Connection

from ledger import tree
from ledger.events import Recorded
from ledger.notary import Notary
from tests.fix_log import record
from tests.fix_proof import history

OLD, KEPT, NOW = (
    300,
    450,
    600,
)  # events in the older copy, under the checkpoint that was kept, and at the time of the attack

Attack = Callable[[Connection[Any]], object]


def run(statement: str) -> Attack:
    return lambda connection: connection.execute(statement.encode())


def change(column: str, value: str, at: int = 100) -> Attack:
    return run(f"UPDATE ledger.stored_events SET {column} = {value} WHERE notification_id = {at}")


def move(connection: Connection[Any], behind: int, by: int) -> None:
    """Give all events behind a position another one, so that positions stay dense."""
    moved = "UPDATE ledger.stored_events SET notification_id = {} WHERE {}"
    steps = (("-notification_id", f"notification_id > {behind}"), (f"-notification_id + {by}", "notification_id < 0"))  # fmt: skip
    for value, where in steps:
        connection.execute(moved.format(value, where).encode())
    connection.execute("UPDATE ledger.head SET position = position + %s", (by,))


def delete(first: int, last: int, *, close: bool) -> Attack:
    def attack(connection: Connection[Any]) -> None:
        connection.execute(
            "DELETE FROM ledger.stored_events WHERE notification_id BETWEEN %s AND %s",
            (first, last),
        )
        if close:
            move(connection, last, first - last - 1)

    return attack


def swap(connection: Connection[Any]) -> None:
    for value, at in ((-1, 100), (100, 101), (101, -1)):
        change("notification_id", str(value), at)(connection)


def insert(connection: Connection[Any]) -> None:
    move(connection, 99, 1)
    (forged,) = (one._replace(position=100) for one in history(1, after=5_000)[:1])
    record(connection, [forged])
    connection.execute("UPDATE ledger.head SET position = %s", (NOW + 1,))


def reinsert(connection: Connection[Any]) -> None:
    change("notification_id", str(NOW + 1), 100)(connection)
    move(connection, 100, -1)
    connection.execute("UPDATE ledger.head SET position = %s", (NOW,))


def regrow(connection: Connection[Any]) -> None:
    """Make leaves and tiles anew, as the checkpointer would."""
    connection.execute("TRUNCATE proof.leaves, proof.tiles")
    epoch = tree.epoch(connection)
    assert epoch is not None
    growing = tree.Tree.stored(connection, epoch)
    while growing.size < tree.head(connection):
        growing.extend(tree.head(connection))


def rewrite(connection: Connection[Any]) -> None:
    change("topic", "'job.failed'")(connection)
    regrow(connection)


def replace_checkpoints(connection: Connection[Any]) -> None:
    """Sign everything with a key of one's own, and say that it is the ledger's."""
    rewrite(connection)
    connection.execute("TRUNCATE proof.checkpoints, proof.keys")
    sign_as_mallory(connection)


def sign_as_mallory(connection: Connection[Any]) -> None:
    epoch = tree.epoch(connection)
    assert epoch is not None
    growing = tree.Tree.stored(connection, epoch)
    folder = Path(os.environ["MALLORY"])
    Notary(folder).begin(epoch.origin)
    note = Notary(folder).sign(growing.size, growing.root, ())
    connection.execute(tree.SQL["publish"], (1, growing.size, note))
    for signer in Notary(folder).signers(epoch.origin):
        connection.execute(tree.SQL["tell_key"], (1, str(signer.verifier)))


def fork(connection: Connection[Any]) -> None:
    """Go on from the older copy with other events, signed by a key of one's own."""
    record(connection, other_future())
    regrow(connection)
    sign_as_mallory(connection)


def other_future() -> list[Recorded]:
    return history(80, after=OLD)[:-1]


ATTACKS: tuple[tuple[int, str, Attack], ...] = (
    (1, "change a payload", change("state", "convert_to(replace(convert_from(state, 'UTF8'), 'event 100', 'event 101'), 'UTF8')")),
    (1, "change the last payload that was signed", change("state", "state || ' '::bytea", KEPT)),
    (2, "change a topic", change("topic", "'job.failed'")),
    (2, "change an actor", change("state", "convert_to(replace(convert_from(state, 'UTF8'), 'ann', 'bob'), 'UTF8')")),
    (2, "change when it occurred", change("occurred_at", "occurred_at + interval '1 microsecond'")),
    (2, "say when it occurred", change("occurred_at", "recorded_at", 99)),
    (2, "hide when it occurred", change("occurred_at", "NULL")),
    (2, "change when it was recorded", change("recorded_at", "recorded_at - interval '1 day'")),
    (2, "record it at no time", change("recorded_at", "'infinity'")),
    (2, "change a credential", change("credential_id", "'k2'", 101)),
    (2, "take a credential away", change("credential_id", "NULL", 101)),
    (2, "change a project", change("project", "'other'")),
    (2, "change an event's id", change("event_id", "gen_random_uuid()")),
    (2, "change a version", change("originator_version", "9")),
    (2, "change a job", change("originator_id", "gen_random_uuid()")),
    (2, "change a salt", change("salt", "gen_random_uuid()")),
    (3, "delete the tail", delete(400, NOW, close=True)),
    (3, "delete the tail and leave the head", delete(400, NOW, close=False)),
    (4, "delete in the middle", delete(200, 200, close=False)),
    (4, "delete in the middle and close the gap", delete(200, 200, close=True)),
    (4, "delete the first and close the gap", delete(1, 1, close=True)),
    (5, "swap two", swap),
    (6, "insert in the past", insert),
    (7, "delete and insert again at the end", reinsert),
    (8, "truncate", run("TRUNCATE ledger.stored_events; UPDATE ledger.head SET position = 0")),
    (8, "truncate everything", run("TRUNCATE ledger.stored_events, proof.epochs, proof.leaves, proof.tiles, proof.checkpoints, proof.keys")),
    (9, "restore an older copy", run("SELECT 1")),
    (10, "fork", fork),
    (11, "rewrite events and tiles consistently", rewrite),
    (12, "replace the stored checkpoints too", replace_checkpoints),
)  # fmt: skip
