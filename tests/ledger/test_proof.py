"""Proofs of events and of jobs: what is made is accepted, and nothing of it can be changed. Seen red: a receipt without its inclusion proof."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from ledger import proof
from ledger.connection import Role, conninfo
from ledger.disclosure import BadProof
from ledger.errors import LedgerError
from ledger.note import BadNote, Signer, Verifier
from tests.fix_log import forger
from tests.fix_proof import Sealed, history

pytestmark = pytest.mark.anyio
LOG = history(120)


async def reader(sealed: Sealed) -> AsyncConnection[tuple[Any, ...]]:
    return await AsyncConnection.connect(conninfo(sealed.dsn, Role.READER), autocommit=True)


DEMO = ("demo",)


def known(sealed: Sealed) -> list[Verifier]:
    return [Verifier.parse(vkey) for vkey in sealed.vkeys()]


async def test_each_event_has_a_receipt(sealed: Sealed) -> None:
    sealed.append(LOG[:420])
    sealed.seal()
    sealed.append(LOG[420:])
    signed = sealed.seal()
    async with await reader(sealed) as connection:
        for position in (1, 2, 5, 6, 256, 257, 420, 421, 512, 599, 600):
            text = await proof.receipt(connection, "demo", position, DEMO)
            event, checkpoint = proof.opened(text, known(sealed))
            expected = LOG[position - 1]
            assert checkpoint == signed
            assert event.position == position
            assert event.event_id == expected.event_id
            assert event.recorded_at == expected.recorded_at
            assert event.occurred_at == expected.envelope.occurred_at
            assert json.loads(event.body or b"")["note"] == f"event {position}"


async def test_what_has_no_receipt_is_told(sealed: Sealed) -> None:
    async with await reader(sealed) as connection:
        with pytest.raises(proof.NotSigned):
            await proof.receipt(connection, "demo", 1, DEMO)
        sealed.append(LOG[:5])
        sealed.seal()
        sealed.append(LOG[5:10])
        with pytest.raises(proof.NotSigned, match="reaches to 5"):
            await proof.receipt(connection, "demo", 6, DEMO)
        for project, position in (("demo", 11), ("other", 1), ("demo", 2**62)):
            with pytest.raises(proof.NoSuchEvent):
                await proof.receipt(connection, project, position, (project,))
        with pytest.raises(proof.NoSuchEvent):
            await proof.of_job(connection, "other", LOG[0].job_id, ("other",))
        with pytest.raises(proof.NoSuchEvent):
            await proof.of_job(connection, "demo", LOG[5].job_id, DEMO)


async def job_proof(sealed: Sealed, job_id: UUID) -> dict[str, Any]:
    async with await reader(sealed) as connection:
        return json.loads(json.dumps(await proof.of_job(connection, "demo", job_id, DEMO)))  # type: ignore[no-any-return]


async def test_a_jobs_history_is_proved(sealed: Sealed) -> None:
    sealed.append(LOG)
    sealed.seal()
    document = await job_proof(sealed, LOG[255].job_id)
    shown = proof.checked(json.dumps(document), known(sealed))
    assert (shown["events"], shown["size"], shown["last_position"]) == (5, 600, 260)


async def test_nothing_in_a_proof_can_be_changed(sealed: Sealed) -> None:
    sealed.append(LOG)
    sealed.seal()
    document = await job_proof(sealed, LOG[255].job_id)
    changes: list[tuple[str, Any]] = [
        *(("position", 7), ("event_id", str(UUID(int=7))), ("version", 9), ("topic", "job.failed")),
        *(("recorded_at", "2024-01-01T00:00:00.000000Z"), ("credential_id", "k2"), ("body", "{}")),
        *(("occurred_at", None), ("occurred_at", "2024-01-01T00:00:00.000000Z"), ("salt", "00")),
        *(("blind", "00" * 32), ("previous", "11" * 32), ("project", "other"), ("proof", [])),
        ("job_id", str(UUID(int=7))),
    ]
    for name, value in changes:
        for nth in range(5):
            told = json.loads(json.dumps(document))
            if told["events"][nth][name] == value:
                continue
            told["events"][nth][name] = value
            with pytest.raises(BadProof):
                proof.checked(json.dumps(told), known(sealed))


async def test_an_event_that_was_left_out_is_missed(sealed: Sealed) -> None:
    sealed.append(LOG)
    sealed.seal()
    document = await job_proof(sealed, LOG[255].job_id)
    for nth in range(4):
        left = [*document["events"][:nth], *document["events"][nth + 1 :]]
        with pytest.raises(BadProof):
            proof.checked(json.dumps({**document, "events": left}), known(sealed))


async def test_a_proof_under_another_key_is_none(sealed: Sealed) -> None:
    sealed.append(LOG)
    sealed.seal()
    document = json.dumps(await job_proof(sealed, LOG[0].job_id))
    with pytest.raises(BadNote):
        proof.checked(document, [Signer("example.com/log", b"x" * 32).verifier])


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "null", '{"format": "jobledger-proof/1"}', "[" * 9_000, '"\\ud800"'),
        '{"format": "jobledger-proof/2"}',
    ],
)
async def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(BadProof):
        proof.checked(text, [])


async def test_what_is_no_receipt_is_refused(sealed: Sealed) -> None:
    sealed.append(LOG)
    sealed.seal()
    async with await reader(sealed) as connection:
        text = await proof.receipt(connection, "demo", 3, DEMO)
    lines = text.split("\n")
    extra = json.loads(base64.b64decode(lines[1][6:]))
    forged = base64.b64encode(json.dumps({**extra, "topic": "job.failed"}).encode()).decode()
    for broken in (
        *("", "\n\n", text[:-5], text.replace("index 2", "index 3"), text.replace("extra", "more")),
        *(text.replace(lines[3] + "\n", ""), text.replace(lines[1], f"extra {forged}")),
        text.replace(lines[3], lines[4]),
    ):
        with pytest.raises(LedgerError):
            proof.opened(broken, known(sealed))


async def test_an_erased_event_keeps_its_proof(sealed: Sealed) -> None:
    sealed.append(LOG)
    sealed.seal()
    with forger(sealed.dsn) as connection:
        connection.execute("ALTER TABLE ledger.stored_events ALTER salt DROP NOT NULL")
        connection.execute(
            "UPDATE ledger.stored_events SET salt = NULL, state = '{}' WHERE notification_id = 258"
        )
    document = await job_proof(sealed, LOG[255].job_id)
    assert document["events"][2]["erased"] is True
    assert "body" not in document["events"][2]
    assert proof.checked(json.dumps(document), known(sealed))["erased"] == 1
