"""Keys that stand twice in one object: which of the two is meant nobody can know, so every dialect refuses them, however deep they lie.

Seen red without the look in the teller, without the one in FullStory's walk, and with members of a batch that are not looked at."""

from __future__ import annotations

import pytest

from api.dialects.dialect import Dialect
from api.dialects.gogrid.words import FORM
from api.operation import Operation, Scope
from api.operations import OPERATIONS
from tests.conformance.stage import Stage, staged

TWICE = (
    b'{"jobs":[{"type":"a","detail":{"x":{"y":1,"\\u0079":2}}}]}',
    b'{"requests":[{"name":"job.noted","properties":{"note":"a","note":"b"}}]}',
    b'{"requests":[{"name":"job.noted"}],"requests":[{"name":"job.noted"}]}',
    b'[{"eventType":"START","run":{},"run":{}}]',
)
WRITES = [
    pytest.param(dialect, one, id=f"{dialect.name}-{one.id}")
    for dialect, one in OPERATIONS
    if one.scope is not Scope.PUBLIC and one.body is not None and FORM not in one.body_media_types
]


@pytest.mark.parametrize(("dialect", "operation"), WRITES)
def test_a_key_that_stands_twice(stage: Stage, dialect: Dialect, operation: Operation) -> None:
    own = staged(stage.server, "repeats", made=stage.made)
    for body in TWICE:
        if dialect.name == "fullstory" and b"requests" not in body:
            continue  # refused for what it is before its end is seen
        answer = own.ask(
            dialect, operation, body=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 422), (body, answer.text)
        assert "twice in one object" in answer.text, (body, answer.text)
