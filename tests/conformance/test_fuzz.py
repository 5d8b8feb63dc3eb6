"""Requests that nobody thought of, over every dialect's OpenAPI document: no 5xx, and no answer that the document does not tell.

Invariants: the seed is fixed; `./scripts/fuzz` does the same for longer and in more ways. Seen red: a crash where `min_position` is read, and
a status left out of Comestri's document."""

from __future__ import annotations

import pytest

from api.dialects import DIALECTS
from api.dialects.dialect import Dialect
from api.operation import Scope
from scripts.fuzzing.campaign import campaign
from scripts.fuzzing.target import Keyring, Target, peopled
from tests.fix_server import LiveServer

SEED = 20_000
REQUESTS = 120  # of each dialect, or a few more


@pytest.fixture(scope="module")
def target(shared_server: LiveServer) -> Target:
    key, _ = shared_server.make_key("fuzz", (Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.AUDIT_READ))
    api_key, secret = shared_server.make_key("fuzz", signing=True)
    return peopled(shared_server.url, Keyring("fuzz", key, api_key, secret))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_every_answer_is_in_the_document(target: Target, dialect: Dialect) -> None:
    examples = -(-REQUESTS // len(dialect.operations))
    found = campaign(dialect, target, examples=examples, seed=SEED, phases=("fuzzing",))
    assert found.is_clean, "\n".join([*found.errors, *found.faults])
    assert sum(found.statuses.values()) == found.requests
