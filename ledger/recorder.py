"""The eventsourcing library's recorder on our log, so that the library's applications and projection runners work on it.

Invariants: it appends by `ledger.append` and so keeps positions dense; an append whose answer was lost is read back, never repeated blindly;
what it selects carries the whole row, so that `LedgerMapper` loses nothing. A subscription polls besides listening, since a wake-up may be lost.
Errors: the library's own; IntegrityError when a version is taken."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import pydantic_core
from eventsourcing import postgres
from eventsourcing.persistence import (
    ApplicationRecorder,
    DataError,
    IntegrityError,
    InterfaceError,
    Notification,
    OperationalError,
    StoredEvent,
    Subscription,
)
from eventsourcing.utils import Environment, EnvType, retry
from psycopg.rows import dict_row

from ledger import settings, sql, store
from ledger.codec import Row
from ledger.connection import Role, conninfo, restore_loggers
from ledger.migrate import refuse_library_functions
from ledger.wake import CHANNEL, FOLLOWED

SQL: Final = sql.load(__file__)
WAKE: Final = f"NOTIFY {CHANNEL}"
LISTEN: Final = f"LISTEN {CHANNEL}; LISTEN {FOLLOWED}"
ANY_MAX: Final = 2**63 - 1  # larger than every version and position

restore_loggers()
_reading = retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)


@dataclass(frozen=True, eq=False)
class KeptEvent(StoredEvent):
    """A stored event with its whole row. It equals the library's own of the same four fields."""

    row: Row

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredEvent) and _four(self) == _four(other)

    def __hash__(self) -> int:
        return hash(_four(self))


@dataclass(frozen=True)
class KeptNotification(Notification):
    """A notification with its whole row."""

    row: Row


class LedgerDatastore(postgres.PostgresDatastore):
    """A pool of the library's kind, whose sessions are ours: role, timeouts, schema."""

    def __init__(self, dsn: str, *, pool_size: int = 2) -> None:
        refuse_library_functions()
        super().__init__(
            *("", "", "", "", ""),
            pool_size=pool_size,
            max_overflow=settings.POOL_CONNECTIONS_MAX - pool_size,
            schema="ledger",
        )
        self.pool.conninfo = conninfo(dsn, Role.APP)
        self.pool.kwargs = {"row_factory": dict_row}


class LedgerRecorder(postgres.PostgresApplicationRecorder):
    """Appends to and reads ledger.stored_events. What it appends belongs to no project."""

    def create_table(self) -> None:
        """Nothing: tables come from migrations."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Append, whole or not at all; the positions given."""
        if not stored_events:
            return None
        event_ids = [uuid4() for _ in stored_events]
        answer, uncertain = self._append(_batch(stored_events, event_ids))
        if answer["refused"] is None:
            return [answer["head"] + nth for nth in range(1, len(stored_events) + 1)]
        there = self._there(stored_events, event_ids) if uncertain else None
        if there is None:
            raise IntegrityError(f"The ledger refused the append: {answer['refused']}")
        return there

    def _append(self, batch: str) -> tuple[dict[str, Any], bool]:
        """The answer of ledger.append. True: an earlier try may have been saved."""
        deadline = time.monotonic() + settings.RECONNECT_S
        uncertain = False
        while True:
            try:
                with self.datastore.get_connection() as connection:
                    appending = connection.execute(store.SQL["append"], (batch,), prepare=True)
                    answer = appending.fetchone()
                    connection.execute(WAKE)
                assert answer is not None
            except (InterfaceError, OperationalError):
                uncertain = True
                if time.monotonic() > deadline:
                    raise
                time.sleep(settings.RECONNECT_PAUSE_S)
            else:
                return answer, uncertain

    def _there(
        self, stored_events: Sequence[StoredEvent], event_ids: Sequence[UUID]
    ) -> list[int] | None:
        """Where these very events stand, when an earlier try had saved them."""
        ids = [event.originator_id for event in stored_events]
        versions = [event.originator_version for event in stored_events]
        with self.datastore.get_connection() as connection:
            rows = connection.execute(store.SQL["events_there"], (ids, versions)).fetchall()
        there = {row["event_id"]: row["notification_id"] for row in rows}
        return [there[i] for i in event_ids] if all(i in there for i in event_ids) else None

    @_reading
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """One job's events."""
        asked = {
            "job_id": originator_id,
            "gt": -ANY_MAX if gt is None else gt,
            "lte": ANY_MAX if lte is None else lte,
            "limit": limit,
        }
        return [KeptEvent(*_four(row), row) for row in self._rows(_direction(desc=desc), asked)]

    @_reading
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The log from `start` on."""
        asked = {
            "gt": 0 if start is None else start - inclusive_of_start,
            "lte": ANY_MAX if stop is None else stop,
            "topics": list(topics) or None,
            "limit": limit,
        }
        rows = self._rows("notifications", asked)
        return [KeptNotification(*_four(row), row.notification_id, row) for row in rows]

    def _rows(self, query: str, asked: dict[str, Any]) -> list[Row]:
        with self.datastore.get_connection() as connection:
            found = connection.execute(SQL[query], asked, prepare=True).fetchall()
        return [Row(**row) for row in found]

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Follow the log behind `gt`."""
        return LedgerSubscription(recorder=self, gt=gt, topics=topics)


class LedgerSubscription(postgres.PostgresSubscription):
    """The library's subscription, which goes on when a wake-up is lost or its listening connection breaks."""

    def _loop_on_pull(self) -> None:
        try:
            while not self._has_been_stopped:
                self._pull()
                self._has_been_notified.wait(settings.FOLLOW_POLL_S)
        except BaseException as error:  # noqa: BLE001 - raised again where the events are read
            self._thread_error = self._thread_error or error
            self.stop()

    def _listen(self) -> None:
        while not self._has_been_stopped:
            try:
                with self._recorder.datastore.get_connection() as connection:
                    connection.execute(LISTEN)
                    # What was committed before LISTEN took effect woke nobody.
                    self._has_been_notified.set()
                    while not self._has_been_stopped:
                        for _ in connection.notifies(timeout=0.1, stop_after=1):
                            self._has_been_notified.set()
            except (InterfaceError, OperationalError):
                time.sleep(settings.RECONNECT_PAUSE_S)  # the polls go on meanwhile


# The library looks for the one factory in a module, hence no other is imported by name.
class Factory(postgres.PostgresFactory):
    """PERSISTENCE_MODULE=ledger.recorder: an application of the library on the log that LEDGER_DATABASE_URL names."""

    def __init__(self, env: Environment | EnvType | None) -> None:
        super(postgres.BasePostgresFactory, self).__init__(env)
        dsn = self.env.get("LEDGER_DATABASE_URL")
        if not dsn:
            raise OSError("LEDGER_DATABASE_URL does not say where the ledger is.")
        self.datastore = LedgerDatastore(dsn)

    def application_recorder(self) -> ApplicationRecorder:
        """The recorder of the log."""
        return LedgerRecorder(self.datastore)


def _direction(*, desc: bool) -> str:
    return "backwards" if desc else "forwards"


def _four(event: StoredEvent | Row) -> tuple[UUID | str, int, str, bytes]:
    return event.originator_id, event.originator_version, event.topic, event.state


def _batch(stored_events: Sequence[StoredEvent], event_ids: Sequence[UUID]) -> str:
    """The parameter of ledger.append for one unit of the library's events."""
    rows: list[list[Any]] = []
    last: dict[UUID | str, int] = {}
    salts = store.salts(len(stored_events))
    for event, event_id, salt in zip(stored_events, event_ids, salts, strict=True):
        job_id, version = event.originator_id, event.originator_version
        follows = job_id in last
        if last.get(job_id, version - 1) != version - 1:
            raise IntegrityError(f"Version {version} of {job_id} does not follow {last[job_id]}.")
        last[job_id] = version
        try:
            state = event.state.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"The ledger keeps UTF-8 JSON, not other bytes: {error}") from error
        row = [0, str(job_id), version, event.topic, str(event_id), None, state, "", None, salt]
        rows.append([*row, True] if follows else row)
    return pydantic_core.to_json({"events": rows}).decode()
