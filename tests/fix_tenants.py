"""Two tenants on one server, what the other one has, and how an answer about it is compared with one about nothing.

Invariants: everything of the other tenant's that can be read holds the canary; names, and what is new in each answer, are taken out of it."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx2 as httpx
import psycopg
import pytest

from api.dialects.fullstory.opaque import opaque
from api.dialects.gogrid.signature import sign
from api.operation import Scope
from api.secret import SECRET_BYTES, Secret
from ledger import embedded
from tests.fix_postgres import cloned
from tests.fix_proof import Sealed
from tests.fix_server import LiveServer, serve
from tests.strangers import Probe, Things

READS = (Scope.JOBS_READ, Scope.AUDIT_READ)
MINE, THEIRS = "mine", "theirs"
FIRST = "what-was-there"
CANARY: Final = f"canary{secrets.token_hex(6)}"
NOBODY = Things(
    "nobodys", str(uuid4()), 987_654_399, "request-n0", "source-n0", "object-n0", "owner-n0", "TypeN0", "CommandN0", "", "key-n0",
    opaque(uuid4()), 7_654_321,
)  # fmt: skip


@dataclass
class Tenants:
    """A server, what the other tenant has, and both credentials."""

    server: LiveServer
    theirs: Things
    mine: httpx.Client
    other: httpx.Client
    api_key: str
    shared_secret: str
    asked: list[Probe] = field(default_factory=list)

    def ask(self, probe: Probe) -> httpx.Response:
        self.asked.append(probe)
        request_id = request_id_of(len(self.asked))
        headers = {**dict(probe.headers), "X-Request-Id": request_id, "X-Version": "1.0"}
        query, body = list(probe.query), probe.body
        words: dict[str, Any] = {}
        if probe.dialect.name == "gogrid":
            sig = sign(self.api_key, self.shared_secret, int(time.time()))
            signed = {"api_key": self.api_key, "sig": sig}
            if body is None:
                query += signed.items()
            else:
                words["data"] = {**body, **signed}
        elif body is not None:
            words["json"] = body
        return self.mine.request(
            probe.operation.method,
            probe.path,
            params=httpx.QueryParams(tuple(query)),
            headers=headers,
            **words,
        )

    def told(self, probe: Probe, things: Things) -> str:
        """An answer in one text, without the names that were asked for."""
        answer = self.ask(probe)
        assert answer.status_code != 429
        assert answer.status_code < 500, f"{probe}: {answer.text}"
        assert CANARY not in answer.text + str(answer.headers), str(probe)
        kept = {"date", "content-length"}
        heads = sorted(f"{n}: {v}" for n, v in answer.headers.items() if n not in kept)
        text = "\n".join([str(answer.status_code), *heads, answer.text])
        text = text.replace(request_id_of(len(self.asked)), "<request>")
        text = re.sub(rf"(position |/events/){things.position}\b", r"\1<position>", text)
        if probe.operation.scope in READS and self.theirs.id not in str(
            (probe.path, probe.query, probe.body)
        ):
            assert self.theirs.id not in text, str(probe)
        names = [one.name for one in fields(things) if one.name != "position"]
        for name in sorted(names, key=lambda name: -len(str(getattr(things, name)))):
            text = text.replace(str(getattr(things, name)), f"<{name}>")
        text = text.replace(_sig(text), "<sig>")
        if probe.operation.scope in READS:
            return text
        # What was made in one's own project has an id, a number, a position and a time of its own.
        text = re.sub(r"jl_[0-9a-f]{16}_\w+|\b[0-9a-f]{16}\b", "<key>", text)
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[\w-]{22}==", "<uuid>", text)
        # A time of a whole second is written without a fraction.
        text = re.sub(r"(:\d\d)\.\d+", r"\1", text)
        return re.sub(r"\d+", "#", text)

    def as_they_see_it(self) -> list[tuple[int, str]]:
        """Everything of theirs, by their own credential."""
        job = f"jobs/{self.theirs.id}/events"
        paths = ("jobs?count=exact", "counts", "events", job, "keys", "key-acts")
        found = [self.other.get(f"/v1/projects/{THEIRS}/{path}") for path in paths]
        # How far the read models are is the whole ledger's affair.
        return [
            (one.status_code, re.sub(r'{"position":\d+', "", one.text, count=1)) for one in found
        ]


def request_id_of(nth: int) -> str:
    return f"probe-{nth:06}"


def _sig(text: str) -> str:
    found = re.search(r"sig=([0-9a-f]{32})", text)
    return found[1] if found else "\x00"


@pytest.fixture
def tenants(
    postgres: embedded.Server,
    postgres_admin: psycopg.Connection,
    template_database: str,
    tmp_path: Path,
) -> Iterator[Tenants]:
    with cloned(postgres, postgres_admin, template_database) as dsn:
        for server in serve(dsn, Secret(secrets.token_bytes(SECRET_BYTES))):
            other = server.client_of(THEIRS, [Scope.ADMIN], name=f"{CANARY} worker")
            mine = server.client_of(MINE, [Scope.ADMIN], name="me")
            signing = server.issue(MINE, [Scope.ADMIN], signing=True, name="my grid")
            assert signing.shared_secret is not None
            first = {"type": "MyType", "object": "my object"}
            mine.post(f"/v1/projects/{MINE}/jobs", json=first, headers={"X-Request-Id": FIRST})
            theirs = replace(_made(other), key_id=server.issue(THEIRS).stored.key_id)
            Sealed(dsn, tmp_path / "notary").seal()
            # There is something to be proved, and its owner gets the proofs.
            for proof in (f"events/{theirs.position}/receipt", f"jobs/{theirs.id}/proof"):
                assert other.get(f"/v1/projects/{THEIRS}/{proof}").status_code == 200
            yield Tenants(server, theirs, mine, other, signing.stored.key_id, signing.shared_secret)


def _made(other: httpx.Client) -> Things:
    """What the other tenant has: three jobs, the first with every name, and a cursor."""
    jobs = f"/v1/projects/{THEIRS}/jobs"
    named: dict[str, Any] = {
        "number": 987_654_321,
        "request_id": "request-t0",
        "source_id": "source-t0",
        "object": "object-t0",
        "owner": "owner-t0",
        "type": "TypeT0",
        "command": "CommandT0",
    }
    made = other.post(
        jobs,
        json={**named, "description": CANARY, "detail": {"secret": CANARY}},
        headers={"Idempotency-Key": "key-t0"},
    )
    assert made.status_code == 201, made.text
    for _ in range(2):
        other.post(jobs, json={"type": CANARY, "object": CANARY, "owner": CANARY})
    said = other.post(
        f"{jobs}/{made.json()['id']}/events", json={"event": "queued", "note": CANARY}
    )
    assert said.status_code == 200, said.text
    batch = other.post(
        "/v2/events/batch",
        json={"requests": [{"name": "job.created", "user": {"uid": CANARY}}, {"name": CANARY}]},
    )
    word = batch.json()["job"]["id"]
    deadline = time.monotonic() + 30
    while other.get(f"/v2/events/batch/{word}").json()["job"]["status"] == "PROCESSING":
        assert time.monotonic() < deadline, "the batch does not end"
        time.sleep(0.02)
    return Things(
        project=THEIRS,
        id=made.json()["id"],
        cursor="",
        key="key-t0",
        batch=word,
        position=made.json()["position"],
        **named,
    )
