"""The audit of erased events: every earlier checkpoint still holds, and what is left of a body can no more be altered than a whole one.

Seen red: an audit that takes every event without salt for erased."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest

from ledger import eraser, tree
from ledger.audit import Audit, Findings
from ledger.checkpoint import Checkpoint
from ledger.connection import Role, conninfo
from ledger.eraser import Order
from ledger.erasure import FIELDS, Person
from tests.fix_log import forger
from tests.fix_proof import Sealed, history

LOG = history(2)
WHOLE = Person(fields=frozenset(FIELDS))


@pytest.fixture
def before(sealed: Sealed) -> Checkpoint:
    """What was signed of a log, before the first job in it was erased whole and that was signed too."""
    sealed.append(LOG)
    mark = sealed.seal()
    with (
        psycopg.connect(conninfo(sealed.dsn, Role.AUDITOR), autocommit=True) as reading,
        psycopg.connect(conninfo(sealed.dsn, Role.ERASER), autocommit=True) as erasing,
    ):
        jobs = frozenset({LOG[0].job_id})
        order = Order("demo", WHOLE, "dpo", "asked to", jobs, everything=True)
        assert eraser.erase(reading, erasing, order).bodies == 5
    sealed.seal()
    return mark


def audit(sealed: Sealed, mark: Checkpoint) -> Findings:
    memory = sealed.notary.memory()
    assert memory is not None
    known = [signer.verifier for signer in sealed.notary.signers(memory.last.origin)]
    with psycopg.connect(conninfo(sealed.dsn, Role.AUDITOR), autocommit=True) as connection:
        current = tree.epoch(connection)
        assert current is not None
        return Audit(connection, current, known, [mark]).run()


def test_what_was_signed_before_still_holds(sealed: Sealed, before: Checkpoint) -> None:
    found = audit(sealed, before)
    assert (found.faults, found.erased, found.events) == ([], 5, len(LOG) + 1)


ATTACKS: dict[str, LiteralString] = {
    "what is left is altered": (
        "UPDATE ledger.stored_events SET state = replace(convert_from(state, 'UTF8'), '0.5', '0.9')::bytea WHERE notification_id = 4"
    ),
    "more is erased than was said": (
        "UPDATE ledger.stored_events SET salt = NULL,"
        " state = replace(convert_from(state, 'UTF8'), '\"ann\"', '\"[erased]\"')::bytea WHERE notification_id = 6"
    ),
    "another body under the name of an erasure": (
        "UPDATE ledger.stored_events SET salt = NULL, state = replace(convert_from(state, 'UTF8'), '0.5', '0.9')::bytea"
        " WHERE notification_id = 9"
    ),
    "what the erasure said is altered": (
        "UPDATE ledger.stored_events SET state = replace(convert_from(state, 'UTF8'), 'asked to', 'no reason')::bytea"
        " WHERE notification_id = 11"
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_hides_behind_an_erasure(sealed: Sealed, before: Checkpoint, attack: str) -> None:
    with forger(sealed.dsn) as superuser:
        superuser.execute(ATTACKS[attack])
    found = audit(sealed, before)
    assert found.faults
