"""A batch that says by itself where its jobs must stand, as one that is known to clash and one of a process of an earlier version do: its answers and
its log are those of a batch whose events say so. Seen red: such a batch taken as if nothing clashed; the positions of what follows a refused unit."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pydantic_core
import pytest

from ledger import events, store
from ledger.commands import Key
from ledger.connection import Role, conninfo
from ledger.events import Event
from ledger.store import Entry, Unit
from tests.histories import ANN
from tests.writes import creation

EVENTS = """
SELECT notification_id, originator_id, originator_version, topic, event_id, state, project, credential_id, salt IS NULL
FROM ledger.stored_events ORDER BY 1
"""
NAMES = "SELECT * FROM ledger.identities ORDER BY 1, 2, 3"
KEYS = "SELECT project, key, request_hash, outcome FROM ledger.idempotency_keys ORDER BY 1, 2"


def unit(nth: int, *said: Event, after: int = 0, project: str = "demo", key: str = "") -> Unit:
    job_id, envelope = UUID(int=nth), ANN._replace(project=project)
    entries = tuple(
        Entry.of(job_id, version, UUID(int=1_000 * nth + version), event, envelope)
        for version, event in enumerate(said, start=after + 1)
    )
    kept = Key(project, key, b"r") if key else None
    return Unit(entries, kept, {"jobs": [[str(job_id), after + len(said)]]})


FIRST = [unit(1, creation(1), events.Queued()), unit(2, creation(2, request_id="r"), key="k")]
THEN: dict[str, list[Unit]] = {
    "all is well": [unit(3, creation(3), events.Queued()), unit(1, events.Started(), after=2)],
    "nothing is asked": [],
    "nothing is left": [unit(1, events.Queued(), after=1)],
    "of each kind one": [
        unit(3, creation(3)),
        unit(1, events.Noted(), after=1),
        unit(4, creation(4), events.Queued(), key="l"),
        unit(2, events.Noted(), after=1, project="theirs"),
        unit(5, creation(1)),
        unit(6, creation(6, request_id="r"), key="m"),
        unit(7, creation(7), key="k"),
        unit(8, creation(8), key="l"),
        unit(3, events.Noted()),
        unit(9, creation(9), key="n"),
    ],
}


def earlier(units: list[Unit]) -> dict[str, Any]:
    """The batch as processes of an earlier version encode it."""
    batch = pydantic_core.from_json(store.encode_batch(units))
    said = {
        (nth, entry.job_id): entry.version - 1
        for nth, one in enumerate(units)
        for entry in reversed(one.entries)
    }
    return {
        "events": [event[:9] for event in batch["events"]],
        "streams": [
            [nth, str(job_id), at, units[nth].entries[0].envelope.project]
            for (nth, job_id), at in said.items()
        ],
        "identities": batch.get("identities", []),
        "keys": batch.get("keys", []),
    }


def told(dsn: str, batches: list[bytes]) -> tuple[list[Any], list[Any]]:
    """What is answered to each, but for the time, and what is there in the end."""
    with psycopg.connect(conninfo(dsn, Role.APP), autocommit=True) as connection:
        answers = [
            connection.execute(store.SQL["append"], (batch.decode(),)).fetchall()[0]
            for batch in batches
        ]
        left = [connection.execute(asked).fetchall() for asked in (EVENTS, NAMES, KEYS)]
    return [(head, refused) for head, _, refused in answers], left


@pytest.mark.parametrize("case", THEN)
def test_the_answers_and_the_log_are_the_same(
    database: str, module_database: str, case: str
) -> None:
    commits = [FIRST, THEN[case], [unit(10, creation(10))]]
    ours = told(database, [store.encode_batch(units) for units in commits])
    with psycopg.connect(module_database, autocommit=True) as owner:
        # The cases share it.
        owner.execute("SET session_replication_role = replica")
        owner.execute("TRUNCATE ledger.stored_events, ledger.identities, ledger.idempotency_keys")
        owner.execute("UPDATE ledger.head SET position = 0")
    theirs = told(module_database, [pydantic_core.to_json(earlier(units)) for units in commits])
    assert ours == theirs
    refused = ours[0][1][1] or []
    assert len(refused) == {"nothing is left": 1, "of each kind one": 7}.get(case, 0)
