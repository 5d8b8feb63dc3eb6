"""Tenants: nothing of one can be read, inferred, written or taken with the credential of another, by any operation of any dialect; and the same
with every filter of the API switched off, on row-level security alone.

Invariants: probes come from OPERATIONS (tests/strangers.py); the credential is an administrator's of its own project. An answer about a thing of the
other tenant equals, names aside, the answer about nothing; the other tenant's events and answers stay as they were. Seen red with: a list
without its project, a feed without it, a cursor that is not bound to its project, a lookup by id that tells "not yours" apart, and, with
the filters off, a policy that is true for readers and a sight taken from the path."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Final
from uuid import uuid4

import httpx2 as httpx
import psycopg
import pytest

import api.authority
import api.cursor
import ledger.decide
from api.dialects.fullstory.opaque import opaque
from api.dialects.gogrid.signature import sign
from api.operation import Scope
from api.operations import OPERATIONS
from api.secret import SECRET_BYTES, Secret
from ledger import embedded
from ledger.commands import Command
from ledger.events import Recorded
from ledger.job import Job, fold
from projections.filters import Sort
from projections.question import After, Query
from tests.fix_postgres import cloned
from tests.fix_server import LiveServer, serve
from tests.strangers import Probe, Things, probes

READS = (Scope.JOBS_READ, Scope.AUDIT_READ)
MINE, THEIRS = "mine", "theirs"
CANARY: Final = f"canary{secrets.token_hex(6)}"
PROJECT_COMPARED = re.compile(r"(?:\w+\.)?project = (?:%\(\w+\)s|%s|\w+\.project)")
NOBODY = Things(
    "nobodys", str(uuid4()), 987_654_399, "request-n0", "source-n0", "object-n0", "owner-n0", "TypeN0", "CommandN0", "", "key-n0",
    opaque(uuid4()),
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

    def ask(self, probe: Probe) -> httpx.Response:
        headers = {**dict(probe.headers), "X-Request-Id": "probe", "X-Version": "1.0"}
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
        if probe.operation.scope in READS and self.theirs.id not in str(
            (probe.path, probe.query, probe.body)
        ):
            assert self.theirs.id not in text, str(probe)
        for field in sorted(fields(things), key=lambda f: -len(str(getattr(things, f.name)))):
            text = text.replace(str(getattr(things, field.name)), f"<{field.name}>")
        text = text.replace(_sig(text), "<sig>")
        if probe.operation.scope in READS:
            return text
        # What was made in one's own project has an id, a number, a position and a time of its own.
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[\w-]{22}==", "<uuid>", text)
        return re.sub(r"\d+", "#", text)

    def as_they_see_it(self) -> list[tuple[int, str]]:
        """Everything of theirs, by their own credential."""
        paths = ("jobs?count=exact", "counts", "events", f"jobs/{self.theirs.id}/events")
        found = [self.other.get(f"/v1/projects/{THEIRS}/{path}") for path in paths]
        # How far the read models are is the whole ledger's affair.
        return [
            (one.status_code, re.sub(r'{"position":\d+', "", one.text, count=1)) for one in found
        ]


def _turn(probe: Probe) -> int:
    """One's own account of refusals before anything is refused, then reads, then writes."""
    if probe.operation.scope is Scope.AUDIT_READ:
        return 0 if THEIRS not in probe.path else 1
    return 2 if probe.operation.scope is Scope.JOBS_READ else 3


def _sig(text: str) -> str:
    found = re.search(r"sig=([0-9a-f]{32})", text)
    return found[1] if found else "\x00"


@pytest.fixture
def tenants(
    postgres: embedded.Server, postgres_admin: psycopg.Connection, template_database: str
) -> Iterator[Tenants]:
    with cloned(postgres, postgres_admin, template_database) as dsn:
        for server in serve(dsn, Secret(secrets.token_bytes(SECRET_BYTES))):
            other = server.client_of(THEIRS, [Scope.ADMIN], name=f"{CANARY} worker")
            mine = server.client_of(MINE, [Scope.ADMIN], name="me")
            signing = server.issue(MINE, [Scope.ADMIN], signing=True, name="my grid")
            assert signing.shared_secret is not None
            mine.post(f"/v1/projects/{MINE}/jobs", json={"type": "MyType", "object": "my object"})
            yield Tenants(
                server, _made(other), mine, other, signing.stored.key_id, signing.shared_secret
            )


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
        project=THEIRS, id=made.json()["id"], cursor="", key="key-t0", batch=word, **named
    )


def leaks(tenants: Tenants) -> tuple[int, list[str]]:
    """How many probes were made, and those whose answer tells something of theirs from nothing."""
    before = tenants.as_they_see_it()
    # A cursor is made as the ledger makes it, of a list of theirs and of nobody's.
    newest = (Sort("created", descending=True),)
    after = After(("2100-01-01T00:00:00.000000+00:00",), 987_654_321)
    cursors = [
        api.cursor.encode(after, Query(project, sort=newest)) for project in (THEIRS, "nobodys")
    ]
    theirs_things = replace(tenants.theirs, cursor=cursors[0])
    nobody = replace(NOBODY, id=str(uuid4()), cursor=cursors[1])
    # Reads first, while nothing changes: then even their numbers must be the same.
    pairs = sorted(
        zip(probes(MINE, theirs_things), probes(MINE, nobody), strict=True),
        key=lambda pair: _turn(pair[0]),
    )
    found = []
    for probe, control in pairs:
        theirs, none = tenants.told(probe, theirs_things), tenants.told(control, nobody)
        if theirs != none:
            found.append(f"{probe}:\n{theirs}\n--- but of nothing:\n{none}")
    assert tenants.as_they_see_it() == before, "something of theirs has changed"
    return len(pairs), found


def test_every_operation_is_tried(tenants: Tenants) -> None:
    tried = {(p.dialect.name, p.operation.id) for p in probes(MINE, tenants.theirs)}
    assert tried == {(d.name, o.id) for d, o in OPERATIONS if o.scope is not Scope.PUBLIC}


def test_nothing_of_another_tenant_shows(tenants: Tenants) -> None:
    tried, found = leaks(tenants)
    assert not found, "\n\n".join(found[:3])
    assert tried > 400


def test_a_cursor_is_good_for_its_own_project_only(tenants: Tenants) -> None:
    jobs = "/v1/projects/{}/jobs"
    theirs = tenants.other.get(jobs.format(THEIRS), params={"limit": 1}).json()["next"]
    [cursor] = re.findall(r"cursor=([\w-]+)", theirs)
    refused = tenants.mine.get(jobs.format(MINE), params={"limit": 1, "cursor": cursor})
    assert refused.status_code == 422
    assert tenants.other.get(jobs.format(THEIRS), params={"limit": 1, "cursor": cursor}).is_success


def test_the_same_names_are_free_in_each_project(tenants: Tenants) -> None:
    """What would tell: a number, a request id or a key that is taken because somebody else has it."""
    taken = {"type": "T", "number": 5_000_001, "request_id": "r-both", "source_id": "s-both"}
    for client, project in ((tenants.other, THEIRS), (tenants.mine, MINE)):
        made = client.post(
            f"/v1/projects/{project}/jobs", json=taken, headers={"Idempotency-Key": "k-both"}
        )
        assert made.status_code == 201, made.text


@pytest.fixture
def filters_off(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Switch off every comparison of projects that the API makes: in SQL, in the path, in names, in decisions and in cursors.

    What still keeps them apart is PostgreSQL, and ledger.plan for what a process remembers. The list gets each opened statement."""
    opened: list[str] = []
    execute = psycopg.AsyncCursor.execute

    async def opening(self: Any, query: Any, *words: Any, **more: Any) -> Any:
        if self.connection.info.user == "jobledger_reader" and isinstance(query, str | bytes):
            text = query if isinstance(query, str) else query.decode()
            wide = PROJECT_COMPARED.sub(lambda found: f"(true OR {found[0]})", text)
            if wide != text:
                opened.append(wide)
            query = wide.encode()
        return await execute(self, query, *words, **more)

    decide = ledger.decide.decide

    def decided(job: Job | None, command: Command, now: Any) -> Any:
        if job is not None:
            envelope = replace(command.envelope, project=job.project)
            command = replace(command, envelope=envelope)
        return decide(job, command, now)

    def folded(recorded: list[Recorded]) -> Job | None:
        job = fold(recorded)
        return job and replace(job, project=MINE)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", opening)
    monkeypatch.setattr(api.authority, "check_tenant", lambda principal, asked: None)
    monkeypatch.setattr(api.cursor, "_list_of", lambda query: "any")
    monkeypatch.setattr("ledger.plan.decide", decided)
    monkeypatch.setattr("ledger.names.fold", folded)
    return opened


def test_row_level_security_alone_lets_nothing_through(
    tenants: Tenants, filters_off: list[str]
) -> None:
    tried, found = leaks(tenants)
    assert not found, "\n\n".join(found[:3])
    assert tried > 400
    # The filters were really off: lists, gets by name, counts, feeds, identities and keys were asked without their project.
    assert len(set(filters_off)) > 10
