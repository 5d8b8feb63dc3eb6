"""Tenants: nothing of one can be read, inferred, written or taken with the credential of another, by any operation of any dialect; and the same
with every filter of the API switched off, on row-level security alone.

Invariants: probes come from OPERATIONS (tests/strangers.py); the credential is an administrator's of its own project. An answer about a thing of the
other tenant equals, names aside, the answer about nothing; the other tenant's events and answers stay as they were. Seen red with: a list
without its project, a feed without it, a cursor that is not bound to its project, a lookup by id that tells "not yours" apart, and, with
the filters off, a policy that is true for readers and a sight taken from the path."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest

import api.authority
import api.cursor
import ledger.decide
from api.operation import Scope
from api.operations import OPERATIONS
from ledger.commands import Command
from ledger.events import Recorded
from ledger.job import Job, fold
from projections.filters import Sort
from projections.question import After, Query
from tests.fix_lines import refused
from tests.fix_tenants import FIRST, MINE, NOBODY, THEIRS, Tenants, request_id_of
from tests.strangers import Probe, probes

# Long statements come with their parameters counted.
PROJECT_COMPARED = re.compile(
    r"(?:\w+\.)?project = (?:ANY\(ARRAY\[(?:%\(\w+\)s|\$\d+)\]\)|%\(\w+\)s|%s|\$\d+|\w+\.project)"
)


def _turn(probe: Probe) -> int:
    """One's own account of refusals before anything is refused, then reads, then writes."""
    if probe.operation.scope is Scope.AUDIT_READ:
        return 0 if THEIRS not in probe.path else 1
    return 2 if probe.operation.scope is Scope.JOBS_READ else 3


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


def test_nothing_of_another_tenant_shows(tenants: Tenants, lines: io.StringIO) -> None:
    tried, found = leaks(tenants)
    assert not found, "\n\n".join(found[:3])
    assert tried > 800
    _accounted(tenants, lines)


def _accounted(tenants: Tenants, lines: io.StringIO) -> None:
    """Each probe at a project of somebody else's is in the server's log, and each event that a probe made names who made it."""
    told = {one["request_id"] for one in refused(lines)}
    outside = re.compile(rf"/projects/(?!{MINE}/)")
    barred = [nth for nth, one in enumerate(tenants.asked, 1) if outside.search(one.path)]
    silent = [tenants.asked[nth - 1] for nth in barred if request_id_of(nth) not in told]
    assert not silent, f"{silent[0]} was refused and not logged"
    with psycopg.connect(tenants.server.dsn) as owner:
        row = owner.execute(
            "SELECT count(*), count(*) FILTER (WHERE request_id ~ '^probe-' AND (credential_id IS NOT NULL AND actor = 'me'"
            " OR actor = 'jobledger')) FROM ledger.events WHERE project = %s AND request_id <> %s",
            (MINE, FIRST),
        ).fetchone()
    assert row is not None
    print(f"{len(barred)} refusals logged, {row[0]} events accounted for")
    assert len(barred) > 100
    assert row[0] == row[1] > 20


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


def test_a_number_is_another_job_in_each_project(tenants: Tenants) -> None:
    """Seen red with what is remembered of a job's words kept by its number alone."""
    lists = ("/v1/projects/{}/jobs", "/api/v2/jobs", "/projects/{}/jobs", "/jobs")
    for client, project in ((tenants.other, THEIRS), (tenants.mine, MINE)):
        mark = {"type": "T", "number": 5_000_002, "object": f"of {project}", "owner": project}
        assert client.post(f"/v1/projects/{project}/jobs", json=mark).status_code == 201
    for path in lists:
        # First read, then remembered, by turns.
        for _ in range(3):
            for client, project in ((tenants.other, THEIRS), (tenants.mine, MINE)):
                told = client.get(path.format(project)).text
                assert f"of {MINE if project == THEIRS else THEIRS}" not in told


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
            envelope = command.envelope._replace(project=job.project)
            command = command._replace(envelope=envelope)
        return decide(job, command, now)

    def folded(recorded: list[Recorded]) -> Job | None:
        job = fold(recorded)
        return job and job._replace(project=MINE)

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
    assert tried > 800
    # The filters were really off: lists, gets by name, counts, feeds, identities and keys were asked without their project.
    assert len(set(filters_off)) > 10
