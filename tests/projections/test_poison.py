"""Poison: the exact place of what cannot be folded, everything before it folded, nothing after; and a session that dies in the middle."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from ledger.codec import encode
from projections.build import Build, Poison
from projections.jobs import JOBS
from projections.tracking import Moved
from tests.fix_log import (
    LIVES,
    builds,
    eventually,
    forge,
    projector,
    stands,
)

LOG = LIVES


def test_folds_and_moves(connection: Connection[Any], build: Build) -> None:
    assert build.advance(connection, 0, 5) == 5
    stands(connection, build, LOG[:5])
    assert build.advance(connection, 5, len(LOG)) == len(LOG)
    stands(connection, build, LOG)


def test_a_fold_stops_at_the_end_of_the_log(connection: Connection[Any], build: Build) -> None:
    """Who tells of a position is not to be believed."""
    for told in (len(LOG) + 1, 10**6, 10**18, 10**30):
        assert build.advance(connection, build.position(connection) or 0, told) == len(LOG)
        stands(connection, build, LOG)


def test_a_fold_begins_where_the_table_stands(connection: Connection[Any], build: Build) -> None:
    """Else two workers would count events twice, or leave some out."""
    build.advance(connection, 0, 7)
    for start, to in ((0, 5), (0, len(LOG)), (6, 9), (8, len(LOG)), (9, 10)):
        with pytest.raises(Moved):
            build.advance(connection, start, to)
        stands(connection, build, LOG[:7])


def test_a_session_killed_between_rows_and_position_leaves_neither(
    forging: Connection[Any], connection: Connection[Any], build: Build, database: str
) -> None:
    with projector(database) as victim, ThreadPoolExecutor(1) as thread, forging.transaction():
        # The fold comes as far as its position, which is held here.
        forging.execute("SELECT FROM projections.notification_tracking FOR UPDATE")
        folding = thread.submit(build.advance, victim, 0, len(LOG))
        blocked = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
        pid = victim.info.backend_pid
        eventually(lambda: forging.execute(blocked, (pid,)).fetchone() == (True,), "the fold waits")
        forging.execute("SELECT pg_terminate_backend(%s)", (pid,))
        with pytest.raises(psycopg.OperationalError):
            folding.result()
    stands(connection, build, [])


def _body(position: int, **other: object) -> bytes:
    return json.dumps({"actor": "ann", "event": {}, **other}).encode()


# What every creation says, that nothing but its shape is strange.
_ASKED = {"type": "T", "owner": "o", "number": 2}

# What is changed in the event at a position, and by how much the poison stands behind it.
FORGERIES: dict[str, tuple[int, str, Callable[[int], object], int]] = {
    "a topic that nobody knows": (4, "topic", lambda _: "job.vanished", 0),
    "a body that is no JSON": (5, "state", lambda _: b"{actor", 0),
    "a body that is no UTF-8": (9, "state", lambda _: b'{"actor": "\xff"}', 0),
    "a shape of later days": (6, "state", lambda p: _body(p, class_version=2), 0),
    "a creation of later days": (2, "state", lambda p: _body(p, class_version=2, event=_ASKED), 0),
    "a body that is cut off": (len(LOG), "state", lambda _: b"", 0),
    "a second creation": (8, "topic", lambda _: "job.created", 0),
    "a first event that is no creation": (2, "topic", lambda _: "job.queued", 0),
    "a job whose creation is nowhere": (1, "originator_id", lambda _: UUID(int=9), 2),
}


def test_poison_is_found_exactly(
    forging: Connection[Any], connection: Connection[Any], build: Build
) -> None:
    for forgery, (position, column, value, behind) in FORGERIES.items():
        stored = f"SELECT {column} FROM ledger.stored_events WHERE notification_id = {position}"
        row = forging.execute(stored.encode()).fetchone()
        assert row is not None
        forge(forging, position, column, value(position))
        poison = position + behind
        for stride in (1, 3, 1_000):
            build.create(connection)
            with pytest.raises(Poison) as stopped:
                fold(connection, build, stride)
            assert (forgery, stopped.value.position) == (forgery, poison)
            assert build.position(connection) == poison - 1
            if not behind:
                stands(connection, build, LOG[: poison - 1])
        # Mended, it goes on from there.
        forge(forging, position, column, row[0])
        if not behind:
            build.advance(connection, poison - 1, len(LOG))
            stands(connection, build, LOG)


# Values that no event may have, and who looks at them.
VALUES: tuple[tuple[int, dict[str, object], set[str]], ...] = (
    (7, {"progress": 7}, {"jobs"}),
    (7, {"progress": -0.5}, {"jobs"}),
    (7, {"messages": {"message": "no list"}}, {"jobs"}),
    (7, {"messages": None}, {"jobs"}),
    (9, {"kind": "bad"}, {"jobs", "job_states", "job_revisions"}),
)


def test_a_value_that_no_event_may_have_is_poison_even_when_later_ones_hide_it(
    forging: Connection[Any], connection: Connection[Any], build: Build
) -> None:
    for position, event, lookers in VALUES:
        before = LOG[position - 1]
        forge(forging, position, "state", _body(position, event=event))
        for stride in (1, 1_000):
            build.create(connection)
            if build.projection.name in lookers:
                with pytest.raises(Poison) as stopped:
                    fold(connection, build, stride)
                assert stopped.value.position == position
                stands(connection, build, LOG[: position - 1])
            else:
                fold(connection, build, stride)
        forge(forging, position, "state", encode(before.event, before.envelope))


def fold(connection: Connection[Any], build: Build, stride: int) -> None:
    reached = 0
    while reached < len(LOG):
        reached = build.advance(connection, reached, min(reached + stride, len(LOG)))


def test_what_no_index_can_hold_is_poison_too(
    forging: Connection[Any], connection: Connection[Any], database: str
) -> None:
    """PostgreSQL calls it a limit of its own, as if trying again could help."""
    hard = "".join(chr(0x10000 + n * 7_919 % 0xF0000) for n in range(512))
    forge(forging, 1, "project", hard)
    forge(forging, 1, "state", _body(1, event={"type": hard[::-1], "owner": "o", "number": 1}))
    (build,) = (one for one in builds(database) if one.projection is JOBS)
    build.create(connection)
    with pytest.raises(Poison) as stopped:
        build.advance(connection, 0, len(LOG))
    assert stopped.value.position == 1
