"""Laws of the read models: however a log is cut for folding, the rows are those that ledger.job.evolve says, and a rebuild's are the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, example, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from psycopg import Connection

from ledger import events, settings
from ledger.events import Recorded
from projections.build import Build, live
from projections.fold import fold
from projections.rebuild import rebuild
from tests.fix_log import LIVES, builds, distinct, expected, forger, projector, record, rows, wipe
from tests.histories import ANN, CREATED, START, histories, past

# The database is the same for all examples: `begin` empties it.
laws = effort(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass
class Models:
    """Three empty read models on an empty log, as often as one likes."""

    dsn: str
    forger: Connection[Any]
    projector: Connection[Any]
    builds: list[Build]

    def begin(self, log: list[Recorded]) -> None:
        wipe(self.forger)
        if log:
            record(self.forger, log)
        for build in self.builds:
            build.create(self.projector)

    def hold(self, log: list[Recorded]) -> None:
        wanted = expected(log)
        for build in self.builds:
            assert (
                rows(self.projector, build.projection, build.table) == wanted[build.projection.name]
            )
            assert build.position(self.projector) == len(log)


@pytest.fixture
def models(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Models]:
    monkeypatch.setattr(settings, "COUNTS_STRETCH", 4)
    with ExitStack() as stack:
        yield Models(
            database,
            stack.enter_context(forger(database)),
            stack.enter_context(projector(database)),
            builds(database),
        )


@st.composite
def logs(draw: st.DrawFn) -> list[Recorded]:
    """Jobs of two projects, in turns."""
    lines = [draw(histories(project=project)) for project in ("demo", "über %s {}")]
    # The same ids in both would be one job.
    lines[1] = [one._replace(job_id=UUID(int=one.job_id.int + 2**64)) for one in lines[1]]
    log: list[Recorded] = []
    while lines := [line for line in lines if line]:
        one = draw(st.sampled_from(lines)).pop(0)
        position = len(log) + 1
        log.append(one._replace(position=position, event_id=UUID(int=position)))
    return distinct(log)


def without_times() -> list[Recorded]:
    """An imported life: its source knew few times, and it was tried twice."""
    unknown = ANN._replace(imported=True, source_id="7")
    known = unknown._replace(occurred_at=START - timedelta(days=9))
    said = [
        (CREATED.model_copy(update={"created_at": START - timedelta(days=30)}), unknown),
        *((events.Queued(), unknown), (events.Started(), unknown)),
        *((events.Failed(final=False, error_count=2), unknown), (events.Started(), known)),
        *((events.Noted(messages=(events.Message(message="1"),)), unknown),),
        *(
            (events.ItemsReported(total=0, failed=3), unknown),
            (events.Progressed(progress=0.25), unknown),
        ),
        *((events.ItemsReported(succeeded=1), unknown), (events.Succeeded(), unknown)),
        *((events.Noted(messages=(events.Message(message="2"),)), known),),
    ]
    return past(*said)


@laws
@given(log=logs(), cuts=st.sets(st.integers(1, 48), max_size=4))
@example(log=without_times(), cuts=set())
@example(log=without_times(), cuts={4, 6, 8})
@example(log=LIVES, cuts=set(range(1, 13)))
@example(log=LIVES, cuts={3, 6})
def test_any_split_folds_to_what_evolve_says(
    models: Models, log: list[Recorded], cuts: set[int]
) -> None:
    models.begin(log)
    start = 0
    for to in sorted({cut for cut in cuts if cut < len(log)} | {len(log)}):
        for build in models.builds:
            # In one piece: `advance` would halve a range whose events are miscounted, and come to the same rows.
            assert fold(models.projector, build.projection, build.table, start, to) == to
        models.hold(log[:to])
        start = to


@effort(laws, max_examples=8, phases=[Phase.explicit, Phase.generate])
@given(log=logs())
@example(log=[])
def test_a_rebuild_has_the_same_rows(models: Models, log: list[Recorded]) -> None:
    models.begin(log)
    wanted = expected(log)
    for build in models.builds:
        with models.projector.transaction():
            build.show(models.projector)
        for position in range(len(log)):
            build.advance(models.projector, position, position + 1)
        told = rebuild(models.dsn, build.projection.name)
        assert told["different"] == 0
        assert told["position"] == len(log)
        swapped = live(models.projector, build.projection)
        assert swapped is not None
        assert swapped[1] != build.table
        assert rows(models.projector, build.projection, swapped[1]) == wanted[build.projection.name]
