"""The checkpointer on a real database: it seals what is appended, and refuses a database that was set back, changed or exchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import psycopg
import pytest

from ledger import tree
from ledger.checkpointer import Checkpointer, renew
from ledger.connection import Role, conninfo
from ledger.notary import Refused
from tests.fix_embedded import wait_until
from tests.fix_log import forge, forger
from tests.fix_proof import Sealed, history

LOG = history(60)


def count(sealed: Sealed, table: str) -> int:
    with psycopg.connect(sealed.dsn) as connection:
        row = connection.execute(f"SELECT count(*) FROM proof.{table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def running(sealed: Sealed) -> Iterator[Checkpointer]:
    checkpointer = Checkpointer(sealed.dsn, sealed.folder, 0.01)
    checkpointer.start()
    try:
        yield checkpointer
    finally:
        checkpointer.end()
        checkpointer.join(30)
        assert not checkpointer.is_alive()


def test_it_follows_the_log(sealed: Sealed) -> None:
    with running(sealed):
        for start, stop in ((0, 10), (10, 11), (11, 300)):
            sealed.append(LOG[start:stop])
            wait_until(partial(reached, sealed, stop))
    assert sealed.last().origin.startswith("jobledger.invalid/")


def _size(sealed: Sealed) -> int:
    with psycopg.connect(sealed.dsn) as connection:
        row = connection.execute("SELECT coalesce(max(size), 0) FROM proof.checkpoints").fetchone()
    assert row is not None
    return int(row[0])


def reached(sealed: Sealed, size: int) -> bool:
    return _size(sealed) == size


def test_two_of_them_are_one(sealed: Sealed) -> None:
    sealed.append(LOG[:50])
    with running(sealed) as first, running(sealed):
        wait_until(lambda: _size(sealed) == 50)
        first.end()
        first.join(30)
        sealed.append(LOG[50:70])
        wait_until(lambda: _size(sealed) == 70)


def test_an_empty_log_has_no_checkpoint(sealed: Sealed) -> None:
    with psycopg.connect(conninfo(sealed.dsn, Role.PROVER), autocommit=True) as connection:
        Checkpointer(sealed.dsn, sealed.folder, 1.0).seal(connection)
    assert count(sealed, "checkpoints") == 0
    assert count(sealed, "epochs") == 1


def test_what_was_signed_and_lost_in_a_crash_comes_back(sealed: Sealed) -> None:
    sealed.append(LOG)
    before = sealed.seal()
    with forger(sealed.dsn) as connection:
        connection.execute("TRUNCATE proof.leaves, proof.tiles, proof.checkpoints")
    assert sealed.seal() == before


def test_a_log_that_was_set_back_is_refused(sealed: Sealed) -> None:
    sealed.append(LOG)
    sealed.seal()
    with forger(sealed.dsn) as connection:
        connection.execute("DELETE FROM ledger.stored_events WHERE notification_id > 250")
        connection.execute("UPDATE ledger.head SET position = 250")
    with pytest.raises(Refused, match="set back"):
        sealed.seal()
    with forger(sealed.dsn) as connection:
        connection.execute("TRUNCATE proof.leaves, proof.tiles")
    with pytest.raises(Refused, match="set back"):
        sealed.seal()
    # Even when it has grown past the old size by other events.
    sealed.append([*history(20, after=250)])
    with pytest.raises(Refused, match="was changed"):
        sealed.seal()


def test_a_log_that_was_rewritten_with_its_tree_is_refused(sealed: Sealed) -> None:
    sealed.append(LOG[:299])
    sealed.seal()
    with forger(sealed.dsn) as connection:
        forge(connection, 7, "topic", "job.failed")
        connection.execute("TRUNCATE proof.leaves, proof.tiles, proof.checkpoints")
    with pytest.raises(Refused, match="was changed"):
        sealed.seal()
    sealed.append(LOG[299:])
    with pytest.raises(Refused, match="was changed"):
        sealed.seal()


def test_a_database_without_its_log_is_refused(sealed: Sealed) -> None:
    sealed.append(LOG)
    sealed.seal()
    with forger(sealed.dsn) as connection:
        connection.execute(
            "TRUNCATE proof.epochs, proof.leaves, proof.tiles, proof.checkpoints, proof.keys"
        )
    with pytest.raises(Refused, match="has signed another log"):
        sealed.seal()


def test_a_refusal_is_shown_until_it_is_over(sealed: Sealed) -> None:
    sealed.append(LOG)
    sealed.seal()
    memory = (sealed.folder / "memory").read_bytes()
    (sealed.folder / "memory").unlink()
    with running(sealed):
        wait_until(lambda: count(sealed, "stopped") == 1)
        (sealed.folder / "memory").write_bytes(memory)
        wait_until(lambda: count(sealed, "stopped") == 0)


def test_the_way_on_is_recorded_and_another_log(sealed: Sealed) -> None:
    sealed.append(LOG)
    ended = sealed.seal()
    with forger(sealed.dsn) as connection:
        connection.execute("DELETE FROM ledger.stored_events WHERE notification_id > 250")
        connection.execute("UPDATE ledger.head SET position = 250")
        begun = renew(connection, sealed.folder, "restored the backup of Monday")
        row = connection.execute("SELECT statement FROM proof.epochs WHERE epoch = 2").fetchone()
    assert row is not None
    assert str(ended) in row[0]
    assert "restored the backup of Monday" in row[0]
    assert begun.origin == "example.com/log/2"
    found = sealed.seal()
    assert (found.origin, found.size) == ("example.com/log/2", 250)
    with forger(sealed.dsn) as connection:
        assert renew(connection, sealed.folder, "again").origin == "example.com/log/3"


def test_a_name_is_never_given_to_two_logs(sealed: Sealed) -> None:
    """An old copy of the database knows fewer logs than the notary, or none."""
    sealed.append(LOG)
    sealed.seal()
    with forger(sealed.dsn) as connection:
        assert renew(connection, sealed.folder, "once").number == 2
        sealed.seal()
        connection.execute("DELETE FROM proof.checkpoints WHERE epoch = 2")
        connection.execute("DELETE FROM proof.leaves WHERE epoch = 2")
        connection.execute("DELETE FROM proof.tiles WHERE epoch = 2")
        connection.execute("DELETE FROM proof.keys WHERE epoch = 2")
        connection.execute("DELETE FROM proof.epochs WHERE epoch = 2")
        assert renew(connection, sealed.folder, "restored").origin == "example.com/log/3"
        sealed.seal()
        connection.execute(
            "TRUNCATE proof.epochs, proof.leaves, proof.tiles, proof.checkpoints, proof.keys"
        )
        assert renew(connection, sealed.folder, "restored").origin == "example.com/log/4"
    assert sealed.seal().origin == "example.com/log/4"


def test_a_new_beginning_that_the_database_lost_is_taken_up(sealed: Sealed) -> None:
    sealed.append(LOG)
    sealed.seal()
    with forger(sealed.dsn) as connection:
        renew(connection, sealed.folder, "the disk was lost")
        connection.execute("DELETE FROM proof.epochs WHERE epoch = 2")
        assert renew(connection, sealed.folder, "again").origin == "example.com/log/2"
    assert sealed.seal().origin == "example.com/log/2"


def test_what_was_never_signed_is_not_renewed(sealed: Sealed) -> None:
    with (
        psycopg.connect(sealed.dsn) as connection,
        pytest.raises(Refused, match="never signed"),
    ):
        renew(connection, sealed.folder, "why not")


def test_its_role_reads_the_log_and_writes_its_own_tables_alone(sealed: Sealed) -> None:
    sealed.append(LOG)
    sealed.seal()
    with psycopg.connect(conninfo(sealed.dsn, Role.PROVER), autocommit=True) as connection:
        assert tree.head(connection) == 300
        for statement in (
            "UPDATE ledger.stored_events SET topic = 'x'",
            "DELETE FROM proof.leaves",
            "UPDATE proof.checkpoints SET note = ''",
            "INSERT INTO ledger.head DEFAULT VALUES",
            "SELECT * FROM access.keys",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
