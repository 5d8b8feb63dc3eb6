"""The runner and its workers: waking, standing by, taking over, stopping at poison, building a new version, following a rebuild.

Invariants: every wait is for a condition; polls are set so long, or so short, that only what a test is about can make it pass."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ledger import settings
from ledger.wake import CHANNEL
from projections import PROJECTIONS
from projections.build import live
from projections.job_counts import JOB_COUNTS
from projections.job_states import JOB_STATES
from projections.jobs import JOBS
from projections.rebuild import rebuild
from projections.runner import Runner
from tests.fix_log import LIVES, eventually, expected, forge, record, rows
from tests.fix_runner import NEVER, SOON, Scene

LOG = LIVES


def workers() -> set[threading.Thread]:
    """The workers of this process: servers of other tests run some beside ours."""
    return {one for one in threading.enumerate() if one.name.startswith("projection ")}


def test_it_builds_follows_and_ends(scene: Scene) -> None:
    others = workers()
    record(scene.forger, LOG[:4])
    runner = scene.run()
    scene.reaches(4)
    record(scene.forger, LOG[4:])
    scene.reaches(len(LOG))
    runner.stop()
    assert workers() == others
    eventually(lambda: scene.lock_holders() == [], "their sessions end")
    for projection in PROJECTIONS:
        positions = [position for name, position in scene.told[0] if name == projection.name]
        assert positions == sorted(positions)
        assert positions[-1] == len(LOG)


def wake_by_call(scene: Scene, runner: Runner, position: int) -> None:
    runner.wake(position)


def wake_by_notice(scene: Scene, runner: Runner, position: int) -> None:
    scene.forger.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(position)))


def wake_by_bare_notice(scene: Scene, runner: Runner, position: int) -> None:
    scene.forger.execute(f"NOTIFY {CHANNEL}".encode())


def wake_wrongly(scene: Scene, runner: Runner, position: int) -> None:
    """By somebody who tells of a position that is not there, and of nonsense."""
    for payload in ("-1", "x", str(10**30), str(position + 1_000)):
        scene.forger.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))


@pytest.mark.parametrize("wake", [wake_by_call, wake_by_notice, wake_by_bare_notice, wake_wrongly])
def test_it_wakes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, wake: Callable[[Scene, Runner, int], None]
) -> None:
    monkeypatch.setattr(settings, "FOLLOW_POLL_S", NEVER)
    record(scene.forger, LOG[:1])
    runner = scene.run()
    scene.reaches(1)
    for start, position in ((1, 3), (3, 7), (7, len(LOG))):
        record(scene.forger, LOG[start:position])
        wake(scene, runner, position)
        scene.reaches(position)
        all_told = {(projection.name, position) for projection in PROJECTIONS}
        eventually(lambda told=all_told: told <= set(scene.told[0]), "all have told")  # type: ignore[misc]
    assert scene.stopped() == {}


def test_two_runners_and_only_one_works(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    record(scene.forger, LOG[:3])
    others = workers()
    scene.run(JOBS)
    (worker,) = workers() - others
    scene.reaches(3, JOBS)
    (first,) = scene.lock_holders()
    scene.run(JOBS)
    record(scene.forger, LOG[3:6])
    scene.reaches(6, JOBS)
    assert scene.lock_holders() == [first]
    assert scene.told[1] == []
    # The first is not quick to come back, so that the other takes over.
    monkeypatch.setattr(settings, "RESTART_S_MAX", NEVER)
    monkeypatch.setattr(worker, "_pause_s", NEVER)
    scene.forger.execute("SELECT pg_terminate_backend(%s)", (first,))
    record(scene.forger, LOG[6:])
    scene.reaches(len(LOG), JOBS)
    eventually(lambda: bool(scene.told[1]), "the other tells")
    assert scene.lock_holders() != [first]
    assert len(scene.lock_holders()) == 1


def test_it_begins_again_when_its_session_is_lost(scene: Scene) -> None:
    scene.run()
    for start in (0, 3, 6):
        for pid in scene.lock_holders():
            scene.forger.execute("SELECT pg_terminate_backend(%s)", (pid,))
        record(scene.forger, LOG[start : start + 3])
        scene.reaches(start + 3)


# A body that only the fold of `jobs` looks into.
TOO_FAR = b'{"actor": "ann", "event": {"progress": 7}}'
POISON = next(one.position for one in LOG if one.topic == "job.progressed")


def test_poison_stops_one_projection_alone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REBUILD_EVENTS_MAX", 2)
    record(scene.forger, LOG)
    row = scene.forger.execute(
        "SELECT state FROM ledger.stored_events WHERE notification_id = %s", (POISON,)
    ).fetchone()
    assert row is not None
    forge(scene.forger, POISON, "state", TOO_FAR)
    scene.run()
    eventually(lambda: scene.stopped() == {JOBS.table: POISON}, "jobs stops")
    scene.reaches(len(LOG), JOB_STATES, JOB_COUNTS)
    assert scene.stopped() == {JOBS.table: POISON}
    assert rows(scene.reader, JOBS, JOBS.table) == expected(LOG[: POISON - 1])["jobs"]
    # No reader has seen it, so nobody was told.
    assert "jobs" not in {name for name, _ in scene.told[0]}
    forge(scene.forger, POISON, "state", row[0])
    scene.reaches(len(LOG))
    eventually(lambda: scene.stopped() == {}, "it says that all is well")


def test_poison_in_what_readers_see(scene: Scene) -> None:
    record(scene.forger, LOG[: POISON - 1])
    scene.run()
    scene.reaches(POISON - 1)
    last = len(LOG)
    record(scene.forger, LOG[POISON - 1 : last - 1])
    scene.reaches(last - 1)
    with scene.forger.transaction():
        record(scene.forger, LOG[last - 1 :])
        forge(scene.forger, last, "topic", "job.vanished")
    eventually(lambda: len(scene.stopped()) == len(PROJECTIONS), "all stop")
    assert set(scene.stopped().values()) == {last}
    assert scene.stands(last - 1)
    forge(scene.forger, last, "topic", LOG[-1].topic)
    scene.reaches(last)
    eventually(lambda: scene.stopped() == {}, "they say that all is well")


def test_a_new_version_is_built_beside(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REBUILD_EVENTS_MAX", 2)
    record(scene.forger, LOG)
    scene.run(JOBS).stop()
    first = scene.run(JOBS)
    scene.reaches(len(LOG), JOBS)
    first.stop()
    later = replace(JOBS, version=2)
    # A build that cannot be finished yet: readers still see the old table.
    forge(scene.forger, 5, "topic", "job.vanished")
    scene.run(later)
    eventually(lambda: scene.stopped() == {later.table: 5}, "the build stops")
    assert live(scene.reader, later) == (1, JOBS.table)
    assert scene.stands(len(LOG), JOBS)
    assert scene.told[-1] == []
    forge(scene.forger, 5, "topic", LOG[4].topic)
    eventually(lambda: live(scene.reader, later) == (2, later.table), "the new one is shown")
    assert scene.stands(len(LOG), JOBS)
    left = "SELECT *, to_regclass('projections.jobs_v1') FROM projections.notification_tracking"
    assert scene.reader.execute(left).fetchall() == [(later.table, len(LOG), None)]


def test_a_table_that_is_gone_is_built_again(scene: Scene) -> None:
    record(scene.forger, LOG)
    scene.run(JOBS).stop()
    runner = scene.run(JOBS)
    scene.reaches(len(LOG), JOBS)
    runner.stop()
    scene.forger.execute("DROP TABLE projections.jobs_v1 CASCADE")
    scene.run(JOBS)
    scene.reaches(len(LOG), JOBS)


@pytest.mark.parametrize("poll_s", [SOON, NEVER])
def test_it_goes_on_with_what_a_rebuild_made(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, poll_s: float
) -> None:
    monkeypatch.setattr(settings, "FOLLOW_POLL_S", poll_s)
    record(scene.forger, LOG[:5])
    runner = scene.run()
    scene.reaches(5)
    for position in (9, len(LOG)):
        for projection in PROJECTIONS:
            assert rebuild(scene.dsn, projection.name)["different"] == 0
        record(scene.forger, LOG[position - 4 : position])
        runner.wake(position)
        scene.reaches(position)


def test_rebuilds_while_it_folds(scene: Scene) -> None:
    """Neither waits for the other for ever, and no event is lost between two tables."""
    record(scene.forger, LOG[:1])
    runner = scene.run()
    scene.reaches(1)
    done = threading.Event()

    def go_on(name: str) -> int:
        rebuilt = 0
        while not done.is_set():
            assert rebuild(scene.dsn, name)["different"] == 0
            rebuilt += 1
        return rebuilt

    with ThreadPoolExecutor(len(PROJECTIONS)) as threads:
        rebuilding = [threads.submit(go_on, projection.name) for projection in PROJECTIONS]
        try:
            for position in range(2, len(LOG) + 1):
                record(scene.forger, [LOG[position - 1]])
                runner.wake(position)
                scene.reaches(position)
        finally:
            done.set()
        assert all(one.result() for one in rebuilding)
    assert scene.stopped() == {}
