"""Tracking: the library's own conformance tests on our table, whose DDL is a migration's, in the projector's role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest
from eventsourcing.persistence import IntegrityError, TrackingRecorder
from eventsourcing.tests.persistence import TrackingRecorderTestCase

from projections.tracking import Positions
from tests.fix_log import projector


@pytest.fixture
def positions(database: str) -> Iterator[Positions]:
    positions = Positions(database)
    yield positions
    positions.datastore.close()


class TestConformance(TrackingRecorderTestCase):
    """What the library asks of every tracking recorder."""

    recorder: ClassVar[TrackingRecorder]

    @pytest.fixture(autouse=True)
    def _recorder(self, positions: Positions) -> None:
        type(self).recorder = positions

    def create_recorder(self) -> TrackingRecorder:
        return self.recorder


def test_a_position_moves_with_its_transaction(positions: Positions, database: str) -> None:
    with projector(database) as connection:
        with connection.transaction(force_rollback=True):
            positions.move(connection, "some_v1", 5)
        assert positions.max_tracking_id("some_v1") is None
        with connection.transaction():
            positions.move(connection, "some_v1", 5)
        assert positions.max_tracking_id("some_v1") == 5
        for position in (5, 4, 0):
            with pytest.raises(IntegrityError), connection.transaction():
                positions.move(connection, "some_v1", position)
        assert positions.max_tracking_id("some_v1") == 5
