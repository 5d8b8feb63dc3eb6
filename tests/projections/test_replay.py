"""Replay: the log folded up to any position agrees with what the live read models say of it, and a row that was touched by hand is named.

Seen red: a live row edited, deleted or closed one event too early (the seeds below) must be found at the positions at which it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from ledger import settings
from ledger.errors import Invalid
from projections import PROJECTIONS
from projections.rebuild import UnknownProjection, compare
from tests.fix_log import LIVES, builds, forger, projector, record

NAMES = [projection.name for projection in PROJECTIONS]
END = len(LIVES)


@pytest.fixture
def forging(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection[Any]]:
    """A ledger whose read models are all at the end of its log."""
    monkeypatch.setattr(settings, "COUNTS_STRETCH", 4)
    with forger(database) as connection, projector(database) as maker:
        record(connection, LIVES)
        for build in builds(database):
            build.create(maker)
            build.advance(maker, 0, END)
            with maker.transaction():
                build.show(maker)
        yield connection


@pytest.mark.parametrize("name", NAMES)
def test_every_position_agrees(forging: Connection[Any], database: str, name: str) -> None:
    for to in range(END + 1):
        found = compare(database, name, to=to)
        assert (found.position, found.different, found.keys) == (to, 0, ())


@pytest.mark.parametrize(
    ("name", "seed", "at"),
    [
        ("jobs", "UPDATE projections.jobs_v1 SET owner = 'eve' WHERE number = 1", {1, 5, END}),
        ("jobs", "DELETE FROM projections.jobs_v1 WHERE number = 1", {1, END}),
        ("jobs", "UPDATE projections.jobs_v1 SET progress = 0.5 WHERE number = 1", {END}),
        ("job_states", "UPDATE projections.job_states_v2 SET note = 'x' WHERE position = 3", {3, 9, END}),
        ("job_states", "UPDATE projections.job_states_v2 SET left_position = left_position - 1 WHERE position = 9", {END - 1, END}),
        ("job_states", "DELETE FROM projections.job_states_v2 WHERE position = 1", {1, 2, END}),
        ("job_revisions", "UPDATE projections.job_revisions_v5 SET updated_at = updated_at + interval '1 s' WHERE position = 2", {2, END}),
        ("job_counts", "UPDATE projections.job_states_v2 SET state = 'Queued' WHERE position = 1", {1}),
        ("job_counts", "UPDATE projections.job_counts_v4 SET canceled = 7 WHERE canceled > 0 AND span_s = 0 AND upto <= 12", {12, END}),
        ("job_counts", "UPDATE projections.job_counts_v4 SET queued = 7 WHERE span_s = 0 AND upto = 8", {8, 9, END}),
        ("job_counts", "UPDATE projections.job_counts_v4 SET queued = 7 WHERE span_s = 300 AND upto = 8", {8, 9, END}),
        ("job_counts", "DELETE FROM projections.job_counts_v4 WHERE span_s = 14400 AND upto = 8", {8, 9, END}),
        ("job_counts", "UPDATE projections.jobs_v1 SET created_at = created_at - interval '1 hour' WHERE number = 1", {1, END - 1}),
    ],
)  # fmt: skip
def test_a_row_changed_by_hand_is_named(
    forging: Connection[Any], database: str, name: str, seed: str, at: set[int]
) -> None:
    forging.execute(seed.encode())
    for to in at:
        found = compare(database, name, to=to)
        assert found.different == len(found.keys) >= 1, to
        assert compare(database, name, to=to, project="demo").keys == found.keys
        # What belongs to another tenant is not this one's fault.
        assert compare(database, name, to=to, project="other").different == 0


def test_every_differing_row_is_told(forging: Connection[Any], database: str) -> None:
    forging.execute("UPDATE projections.job_states_v2 SET actor = 'eve'")
    found = compare(database, "job_states")
    assert found.different == len(found.keys) == found.rows > 9


def test_only_what_was_reached_is_replayed(forging: Connection[Any], database: str) -> None:
    with pytest.raises(Invalid):
        compare(database, "jobs", to=END + 1)
    with pytest.raises(UnknownProjection):
        compare(database, "nothing", to=1)
