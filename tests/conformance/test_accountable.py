"""Accountability: every event that any operation of any dialect writes names the principal, the credential and the request behind it.

Invariants: operations come from OPERATIONS, so that a new one is tried too; what a caller says of who he is never counts. Only what the ledger
itself says of a batch names the ledger, and the batch's request. Seen red: an envelope without the credential's id."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from api.batch.slice import ACTOR
from api.dialects.dialect import Dialect
from api.operation import Operation, Scope
from api.operations import OPERATIONS
from scripts.fuzzing.target import Keyring
from tests.conformance.stage import ALL, Stage
from tests.conformance.telling import WRITES, plain
from tests.fix_embedded import wait_until

NAME = "ann of the night shift"
WRITING = [
    (dialect, operation)
    for dialect, operation in OPERATIONS
    if operation.scope in (Scope.JOBS_WRITE, Scope.JOBS_CANCEL)
]


@pytest.fixture(scope="module")
def account(stage: Stage) -> Iterator[tuple[Stage, str, psycopg.Connection[tuple[Any, ...]]]]:
    """A project in which one principal writes, the id of its credential, and the log as its owner reads it."""
    server, project = stage.server, "accountable"
    issued = server.issue(project, ALL, name=NAME)
    keys = Keyring(project, issued.key, "", "")
    with closing(psycopg.connect(server.dsn, autocommit=True)) as owner:
        yield Stage(server, project, stage.made, keys, server.opened()), issued.stored.key_id, owner


@pytest.mark.parametrize(
    ("dialect", "operation"),
    WRITING,
    ids=lambda one: getattr(one, "id", getattr(one, "name", None)),
)
def test_every_event_names_who_wrote_it(
    account: tuple[Stage, str, psycopg.Connection[tuple[Any, ...]]],
    dialect: Dialect,
    operation: Operation,
) -> None:
    stage, key_id, owner = account
    [job] = plain(stage, stage.server.client_of(stage.project, name="somebody else"), 1)
    request_id = f"{dialect.name}-{operation.id}"
    body = WRITES[operation.id](f"by {request_id}", job) if operation.body is not None else None
    answer = stage.ask(dialect, operation, job=job, body=body, headers={"X-Request-Id": request_id})
    assert answer.status_code < 300, answer.text

    def written() -> list[tuple[Any, ...]]:
        return owner.execute(
            "SELECT topic, actor, credential_id FROM ledger.events WHERE project = %s AND request_id = %s",
            (stage.project, request_id),
        ).fetchall()

    if dialect.name == "fullstory":  # its items are applied later, by a worker
        wait_until(lambda: any(topic == "job.succeeded" for topic, *_ in written()))
    events = written()
    assert events
    own = [one for one in events if one[1:] == (ACTOR, None)]
    assert dialect.name == "fullstory" or not own
    assert {one[1:] for one in events if one not in own} == {(NAME, key_id)}


def test_no_event_of_a_population_lacks_them(stage: Stage) -> None:
    with closing(psycopg.connect(stage.server.dsn, autocommit=True)) as owner:
        found = owner.execute(
            "SELECT count(*), count(actor), count(credential_id), count(request_id) FROM ledger.events WHERE project = %s",
            (stage.project,),
        ).fetchone()
    assert found is not None
    assert len(set(found)) == 1
    assert found[0] > len(stage.made)
