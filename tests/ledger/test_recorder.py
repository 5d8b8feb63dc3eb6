"""The library's own conformance suites on our recorder, and what they do not ask: lost answers, lost wake-ups, its applications."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import (
    AggregateRecorder,
    DataError,
    IntegrityError,
    Notification,
    StoredEvent,
)
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from ledger import events, recorder
from ledger.commands import Command, Write
from ledger.committer import Committer
from ledger.errors import Misconfigured
from ledger.events import Envelope
from ledger.recorder import Factory, LedgerDatastore, LedgerRecorder

DEADLINE_S = 30


@pytest.fixture
def datastore(database: str) -> Iterator[LedgerDatastore]:
    with LedgerDatastore(database) as opened:
        yield opened


class OnOurLog:
    """Gives each test of a suite the recorder on a database of its own."""

    datastore: LedgerDatastore

    @pytest.fixture(autouse=True)
    def _on_our_log(self, datastore: LedgerDatastore) -> None:
        self.datastore = datastore


class WithoutPositions(LedgerRecorder):
    """The suite for aggregate recorders wants no notification ids, which our log always gives."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        super().insert_events(stored_events, **kwargs)


class TestAsAggregateRecorder(OnOurLog, AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return WithoutPositions(self.datastore)


class TestAsApplicationRecorder(OnOurLog, ApplicationRecorderTestCase[LedgerRecorder]):
    def create_recorder(self) -> LedgerRecorder:
        return LedgerRecorder(self.datastore)

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestPositionsDoNotInterleave(OnOurLog, NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> LedgerRecorder:
        return LedgerRecorder(self.datastore)


def event(job_id: UUID, version: int, state: bytes = b"{}") -> StoredEvent:
    return StoredEvent(originator_id=job_id, originator_version=version, topic="t", state=state)


def test_versions_of_a_job_are_dense(datastore: LedgerDatastore) -> None:
    ours = LedgerRecorder(datastore)
    job_id = uuid4()
    with pytest.raises(IntegrityError):
        ours.insert_events([event(job_id, 2)])
    with pytest.raises(IntegrityError):
        ours.insert_events([event(job_id, 1), event(job_id, 3)])
    assert ours.insert_events([event(job_id, 1)]) == [1]
    assert ours.max_notification_id() == 1


def test_bytes_that_are_no_text_are_refused(datastore: LedgerDatastore) -> None:
    with pytest.raises(DataError, match="UTF-8"):
        LedgerRecorder(datastore).insert_events([event(uuid4(), 1, b"\xff")])


BREAK_ONCE = """
CREATE SEQUENCE public.breaks;
CREATE FUNCTION public.break_once() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF nextval('public.breaks') = 1 THEN RAISE EXCEPTION 'lost' USING ERRCODE = 'admin_shutdown'; END IF;
  RETURN currval('public.breaks');
END $$
"""


def test_an_append_whose_answer_was_lost_is_found_again(
    datastore: LedgerDatastore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wake-up follows the commit, so a connection that breaks there looks like a lost answer."""
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(BREAK_ONCE)
        monkeypatch.setattr(recorder, "WAKE", "SELECT public.break_once()")
        ours = LedgerRecorder(datastore)
        job_id = uuid4()
        assert ours.insert_events([event(job_id, 1), event(job_id, 2)]) == [1, 2]
        assert owner.execute("SELECT last_value FROM public.breaks").fetchone() == (2,)
        assert ours.max_notification_id() == 2
        # Somebody else's event at that version is a conflict all the same.
        owner.execute("SELECT setval('public.breaks', 1, false)")
        with pytest.raises(IntegrityError):
            ours.insert_events([event(job_id, 2)])


def take(subscription: Iterator[Notification], count: int) -> list[int]:
    """The ids of the next notifications, or fewer when they do not come in time."""
    got: list[int] = []

    def read() -> None:
        for notification in subscription:
            got.append(notification.id)
            if len(got) == count:
                return

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(DEADLINE_S)
    return list(got)


def test_a_subscription_needs_no_wake_up(datastore: LedgerDatastore, database: str) -> None:
    """An append by somebody who tells nobody, after LISTEN has taken effect."""
    ours = LedgerRecorder(datastore)
    ours.insert_events([event(uuid4(), 1)])
    with ours.subscribe(gt=0) as subscription:
        assert take(subscription, 1) == [1]
        batch = recorder._batch([event(uuid4(), 1)], [uuid4()])
        with psycopg.connect(database, autocommit=True) as stranger:
            stranger.execute("SELECT ledger.append(%s)", (batch,))
        assert take(subscription, 1) == [2]


def test_a_subscription_outlives_its_listening_connection(
    datastore: LedgerDatastore, database: str
) -> None:
    ours = LedgerRecorder(datastore)
    with ours.subscribe(gt=0) as subscription, psycopg.connect(database) as killer:
        ours.insert_events([event(uuid4(), 1)])
        assert take(subscription, 1) == [1]
        killer.autocommit = True
        killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        ours.insert_events([event(uuid4(), 1)])
        assert take(subscription, 1) == [2]


@pytest.mark.anyio
async def test_the_librarys_application_reads_our_log(database: str) -> None:
    """Its own application class, set up by environment as its manual says, on events that our committer wrote."""
    job_id = uuid4()
    envelope = Envelope(
        project="demo",
        actor="ann",
        note="hello",
        credential_id="k1",
        occurred_at=datetime(2020, 1, 2, tzinfo=UTC),
    )
    created = events.Created(type="VirtualServer", owner="ann", number=7)
    async with Committer(database) as committer:
        commands = (Command(job_id, created, envelope), Command(job_id, events.Queued(), envelope))
        saved = await committer.commit(Write(commands))
    env = {
        "PERSISTENCE_MODULE": "ledger.recorder",
        "MAPPER_TOPIC": "ledger.codec:LedgerMapper",
        "LEDGER_DATABASE_URL": database,
    }
    with Application[UUID](env) as application:
        assert isinstance(application.recorder, LedgerRecorder)
        stored = application.recorder.select_notifications(start=1, limit=10)
        assert [application.mapper.to_domain_event(n) for n in stored] == list(saved.recorded)
        assert list(application.events.get(job_id)) == list(saved.recorded)
        section = application.notification_log["1,10"]
        assert [notification.id for notification in section.items] == [1, 2]


def test_an_application_needs_to_know_where_the_ledger_is() -> None:
    with pytest.raises(OSError, match="LEDGER_DATABASE_URL"):
        Factory({})


def test_the_librarys_unlocked_function_is_refused(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", "y")
    with pytest.raises(Misconfigured):
        LedgerDatastore(database)


def test_psycopg_still_logs() -> None:
    # The library sets them to ERROR; the ledger's own log may have set them since, in the same process.
    for name in ("psycopg", "psycopg.pool"):
        assert logging.getLogger(name).level <= logging.WARNING
