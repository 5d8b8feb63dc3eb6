"""The stored tree: it is the tree of the leaves that ledger.leaf makes in Python of the same rows, however it was cut into batches.

Invariants: what PostgreSQL hashes is held against what Python hashes. Seen red: a leaf that leaves out occurred_at, on either side."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from ledger import leaf, merkle, settings, tile, tree
from ledger.codec import encode
from ledger.events import Recorded
from tests.fix_log import forger
from tests.fix_proof import Sealed, history


def leaves(sealed: Sealed, log: list[Recorded]) -> list[bytes]:
    """The leaves by definition."""
    with psycopg.connect(sealed.dsn) as connection:
        current = tree.epoch(connection)
        assert current is not None
        salts: dict[int, UUID] = dict(
            connection.execute("SELECT notification_id, salt FROM ledger.stored_events").fetchall()
        )
    before: dict[bytes, bytes] = {}
    made = []
    for one in log:
        columns = leaf.Columns(
            event_id=one.event_id.bytes,
            job_id=one.job_id.bytes,
            version=one.version,
            occurred=leaf.moment(one.envelope.occurred_at),
            recorded=leaf.moment(one.recorded_at),
            project=one.envelope.project,
            topic=one.topic,
            credential_id=one.envelope.credential_id,
        ).hash(leaf.blind(current.blinding, one.position))
        body = leaf.body_hash(salts[one.position].bytes, encode(one.event, one.envelope))
        previous = before.get(one.job_id.bytes, leaf.NO_PREVIOUS)
        made.append(leaf.leaf(one.position, columns, previous, body))
        before[one.job_id.bytes] = merkle.leaf_hash(made[-1])
    return made


def grown(entries: list[bytes]) -> merkle.Growing:
    growing = merkle.Growing()
    for entry in entries:
        growing.add(merkle.leaf_hash(entry))
    return growing


def bundle(sealed: Sealed, count: int) -> list[bytes]:
    """All leaves as they are stored."""
    with psycopg.connect(sealed.dsn) as connection:
        rows = connection.execute(tree.SQL["entries"], (1, 0, count)).fetchall()
    return [entry for _, entries in rows for entry in tile.unbundled(bytes(entries))]


@pytest.mark.parametrize("batch", [1, 7, 255, 256, 5_000])
def test_the_tree_is_that_of_the_leaves_by_definition(
    sealed: Sealed, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SEAL_EVENTS_MAX", batch)
    monkeypatch.setattr(settings, "SEAL_JOBS_KEPT_MAX", 3)
    log = history(20 if batch == 1 else 120)
    sealed.append(log)
    found = sealed.seal()
    expected = leaves(sealed, log)
    assert all(len(entry) == leaf.LEAF_BYTES for entry in expected)
    assert bundle(sealed, len(log)) == expected
    assert (found.size, found.root) == (len(log), grown(expected).root)
    assert sealed.stored().size == len(log)


def test_it_grows_where_it_was_left(sealed: Sealed) -> None:
    """As after each restart: in the middle of a tile, of a job, and at the end of a tile."""
    log = history(120)
    at = 0
    for stop in (3, 255, 256, 257, 511, 512, 600):
        sealed.append(log[at:stop])
        found = sealed.seal()
        assert (found.size, found.root) == (stop, grown(leaves(sealed, log[:stop])).root)
        at = stop


def test_a_job_that_was_long_silent_is_linked_to_its_leaf_before(sealed: Sealed) -> None:
    log = history(2)
    late = [*log[:4], *log[5:], log[4]]
    renumbered = [one._replace(position=at) for at, one in enumerate(late, start=1)]
    sealed.append(renumbered[:9])
    sealed.seal()
    sealed.append(renumbered[9:])
    assert sealed.seal().root == grown(leaves(sealed, renumbered)).root


def test_an_event_that_is_counted_and_not_there_is_a_gap(sealed: Sealed) -> None:
    sealed.append(history(4))
    with forger(sealed.dsn) as connection:
        connection.execute("DELETE FROM ledger.stored_events WHERE notification_id = 7")
    with pytest.raises(tree.Gap):
        sealed.seal()


def test_an_event_without_salt_is_sealed_all_the_same(sealed: Sealed) -> None:
    """Erased between its append and its checkpoint."""
    sealed.append(history(1))
    with forger(sealed.dsn) as connection:
        connection.execute("ALTER TABLE ledger.stored_events ALTER salt DROP NOT NULL")
        connection.execute("UPDATE ledger.stored_events SET salt = NULL WHERE notification_id = 2")
    assert sealed.seal().size == 5
