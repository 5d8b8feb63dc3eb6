"""When a worker comes by itself, and when it rests although there is something to fold."""

from __future__ import annotations

import pytest

from ledger import settings
from ledger.wake import AWAITED, CHANNEL
from projections import PROJECTIONS, beat, crowd
from projections.job_counts import JOB_COUNTS
from projections.job_states import JOB_STATES
from projections.jobs import JOBS
from projections.projection import Projection
from projections.runner import Runner
from tests.fix_log import LIVES, eventually, record
from tests.fix_runner import NEVER, Scene

LOG = LIVES
STOPPED = "INSERT INTO projections.stopped (name, position, error) VALUES (%s, 1, '')"


def following(scene: Scene, *projections: Projection) -> Runner:
    """A runner behind the first event whose workers rest after every fold to come: one that has only just built folds what came meanwhile at once."""
    record(scene.forger, LOG[:1])
    builder = scene.run(*projections)
    scene.reaches(1, *projections)
    builder.stop()
    for one in projections:
        scene.forger.execute(STOPPED, (one.table,))
    runner = scene.run(*projections)
    # Who takes that back has begun to follow.
    eventually(lambda: not scene.stopped(), "all follow")
    return runner


def test_what_rests_on_purpose_comes_when_it_is_asked(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red where a rest cannot be broken off."""
    monkeypatch.setattr(settings, "PAST_REST_S", NEVER)
    runner = following(scene, *PROJECTIONS)
    monkeypatch.setattr(settings, "FOLLOW_POLL_S", NEVER)
    for start, position, reached in ((1, 3, PROJECTIONS), (3, 7, (JOBS, JOB_COUNTS))):
        record(scene.forger, LOG[start:position])
        runner.wake(position)
        scene.reaches(position, *reached)
    # A position is no reason to hurry; none is.
    assert not scene.stands(7, JOB_STATES)
    scene.forger.execute(f"NOTIFY {CHANNEL}".encode())
    scene.reaches(7)


def test_folds_grow_with_the_log_until_somebody_waits(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red where a worker does not hear who waits, where its beats are of one length, and where it does not look for a crowd."""
    runner = following(scene, JOBS, JOB_STATES)
    for name in ("FOLLOW_POLL_S", "FOLD_BEAT_S_MAX", "AWAITED_S"):
        # No beat comes while this runs, though the clock is the machine's.
        monkeypatch.setattr(settings, name, 1_000 * NEVER / 3)
    monkeypatch.setattr(settings, "FOLD_RUSH_EVENTS", 1e-9)
    monkeypatch.setattr(beat, "_ANYHOW", 1e18)
    monkeypatch.setattr(crowd, "SHARED", 0)
    record(scene.forger, LOG[1:2])
    runner.wake(2)
    scene.reaches(2, JOBS, JOB_STATES)
    record(scene.forger, LOG[2:3])
    runner.wake(3)
    # By the time that another has rested and come by itself.
    scene.reaches(3, JOB_STATES)
    assert not scene.stands(3, JOBS)
    scene.forger.execute(f"NOTIFY {AWAITED}".encode())
    scene.reaches(3, JOBS)
    # And from then on it comes by itself.
    for position in range(4, len(LOG) + 1):
        record(scene.forger, [LOG[position - 1]])
        scene.reaches(position, JOBS)


def test_while_the_log_grows_nobody_need_ring(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "FOLLOW_POLL_S", NEVER)
    record(scene.forger, LOG[:1])
    scene.run(JOBS)
    for position in range(2, len(LOG) + 1):
        record(scene.forger, [LOG[position - 1]])
        scene.reaches(position, JOBS)
