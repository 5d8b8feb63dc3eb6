"""A standby that is away while PostgreSQL waits for it: whoever asks for no commit is answered as ever, and nobody who does waits for ever.

Invariants: the setting is of the whole server of the session's tests, and is taken back with each test. Seen red with nonces on the connections of
questions, which then starve all others, and with commits that are left behind in the database."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx2 as httpx
import psycopg
import pytest

from api.operation import Scope
from api.secret import SECRET_BYTES, Secret
from ledger import settings
from ledger.connection import Role
from tests.fix_embedded import DEADLINE_S, await_standby, wait_until
from tests.fix_server import serve
from tests.signer import Signer

JOBS = "/v1/projects/demo/jobs"
SECRET = Secret(bytes(SECRET_BYTES))
WAIT_S = 0.3  # for a commit, where it is ten seconds in earnest
SILENCE_S = 2.0
SIGNED = 24  # requests, more than there are connections for questions
PROBE = "probe"

served = contextmanager(serve)

Owner = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCK_TIMEOUT_S", "RECONNECT_S"):
        monkeypatch.setattr(settings, name, WAIT_S)
    monkeypatch.setattr(settings, "SILENCE_S", SILENCE_S)
    monkeypatch.setattr(settings, "FOLLOW_POLL_S", 0.05)


@contextmanager
def away(owner: Owner, dsn: str) -> Iterator[None]:
    """No commit ends meanwhile, but for those that need no disk either."""
    over = threading.Event()
    with ThreadPoolExecutor(1) as probing:
        try:
            await_standby(owner, "nobody")
            probe = probing.submit(_probe, dsn, over)
            wait_until(lambda: _waiting(owner, PROBE) == 1)
            yield
        finally:
            over.set()
            await_standby(owner, "")
        probe.result(DEADLINE_S)


def _probe(dsn: str, over: threading.Event) -> None:
    """Commit again and again: who does so waits once PostgreSQL does."""
    with psycopg.connect(dsn, autocommit=True, application_name=PROBE) as connection:
        while not over.is_set():
            connection.execute("SELECT pg_logical_emit_message(true, '', '')")


def _waiting(owner: Owner, *names: str) -> int:
    """How many sessions of these names wait for the standby, whether or not their client is still there."""
    row = owner.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = ANY(%s)",
        (list(names),),
    ).fetchone()
    assert row is not None
    return int(row[0])


def posted(client: httpx.Client, key: str) -> httpx.Response:
    return client.post(JOBS, json={"type": "T"}, headers={"Idempotency-Key": key})


def test_reads_go_on_and_no_commit_is_waited_for_for_ever(
    database: str, postgres_admin: Owner
) -> None:
    with ThreadPoolExecutor(SIGNED + 4) as asking, served(database, SECRET) as server:
        manager = server.client_of("demo", (Scope.KEYS_MANAGE, Scope.JOBS_READ), name="Maria")
        signer = Signer(server, "hmac-sha256")
        job = posted(server.client, "before").json()
        assert signer.send(signer.signed()).status_code == 200
        with away(postgres_admin, database):
            first = asking.submit(posted, server.client, "first")
            signed = [asking.submit(signer.send, signer.signed()) for _ in range(SIGNED)]
            key = asking.submit(
                manager.post, "/v1/projects/demo/keys", json={"scopes": ["jobs:read"]}
            )
            until_s = time.monotonic() + SILENCE_S
            while time.monotonic() < until_s:
                began_s = time.monotonic()
                for path in (
                    JOBS,
                    f"{JOBS}/{job['id']}",
                    f"{JOBS}?count=exact&owner=a&state=Failed",
                ):
                    answer = server.client.get(path)
                    assert answer.status_code == 200, answer.text
                assert time.monotonic() - began_s < WAIT_S * 3, "reads wait for commits"
            told(posted(server.client, "behind"), "busy")
            for one in signed:
                told(one.result(DEADLINE_S), "busy")
            told(first.result(DEADLINE_S), "unreachable")
            told(key.result(DEADLINE_S), "unreachable")
            assert key.result().json()["hint"].startswith("List the keys")
            # The first append, and the key.
            names = [f"jobledger {role}" for role in Role]
            assert _waiting(postgres_admin, *names) == 2
        for name in ("first", "behind"):
            assert posted(server.client, name).status_code == 201
        assert signer.send(signer.signed()).status_code == 200
        assert server.client.get(f"{JOBS}?count=exact").json()["total"] == 3


def told(answer: httpx.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, code), answer.text
    assert int(answer.headers["retry-after"]) > 0


def test_the_server_can_be_stopped(
    database: str, postgres_admin: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an append under way, and a refusal that is kept last of all. Seen red with the end waiting for that."""
    monkeypatch.setattr(settings, "REFUSALS_PAUSE_S", 3600.0)
    with ThreadPoolExecutor(1) as asking, ExitStack() as closing, ExitStack() as serving:
        server = serving.enter_context(served(database, SECRET))
        # Not one of the server's, which are closed before it.
        client = httpx.Client(base_url=server.url, headers=server.client.headers, timeout=30)
        closing.enter_context(client)
        job = posted(server.client, "before").json()
        with away(postgres_admin, database):
            under_way = asking.submit(posted, client, "first")
            wait_until(lambda: _waiting(postgres_admin, "jobledger jobledger_app") == 1)
            refused = server.client.post(f"{JOBS}/{job['id']}/events", json={"event": "succeeded"})
            assert refused.status_code == 409, refused.text
            began_s = time.monotonic()
            serving.close()
            assert time.monotonic() - began_s < 15, "the server did not end"
            told(under_way.result(DEADLINE_S), "unreachable")
