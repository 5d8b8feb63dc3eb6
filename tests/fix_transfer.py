"""What the tests of import and export share: files made here, imports into a database, and the jobs that its log folds to.

Invariants: jobs are folded by ledger.job from the log, never read from what is under test; the made table has the columns of a real cluster's trace,
and its totals are counted while it is made."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

from api.transfer import export
from api.transfer.intake import Order, Summary, bring
from api.transfer.map import parse
from api.transfer.rejects import Rejects
from ledger import embedded, store
from ledger.commands import Command, Write
from ledger.committer import Committer
from ledger.connection import Role, conninfo
from ledger.events import Recorded
from ledger.job import Job, fold
from tests.fix_postgres import cloned

POD_COLUMNS = (
    *("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec", "qos", "pod_phase"),
    *("creation_time", "deletion_time", "scheduled_time"),
)
POD_MAP = """
format = "csv"
[job]
source_id = "name"
type = "qos"
owner = {value = "importer"}
detail = [{column = "cpu_milli", as = "number"}, {column = "memory_mib", as = "number"}, "num_gpu", "gpu_milli", "gpu_spec"]
[times]
unit = "s"
epoch = "2023-01-01T00:00:00Z"
created = "creation_time"
queued = "creation_time"
started = "scheduled_time"
ended = "deletion_time"
[status]
column = "pod_phase"
[status.values]
Succeeded = "succeeded"
Failed = {state = "failed", kind = "exception", final = true}
Running = "processing"
Pending = "queued"
"""
MAP = """
[job]
source_id = "name"
type = {column = "kind", default = "Job"}
owner = {value = "importer"}
[times]
created = "created"
queued = "queued"
started = "started"
ended = "ended"
zone = "UTC"
[status]
column = "status"
[status.values]
new = "created"
waiting = "queued"
running = "processing"
done = "succeeded"
broken = {state = "failed", kind = "exception"}
odd = {state = "failed", kind = "item_errors"}
refused = {state = "failed", kind = "rejected"}
again = {state = "failed", final = false}
off = "canceled"
"""
DAY = "2024-01-01"
HEAD = "SELECT position FROM ledger.head"
NUMBERS = "SELECT count(*) FROM ledger.identities WHERE kind = 'number'"
HEADER = "name,kind,created,queued,started,ended,status\n"


@dataclass(frozen=True)
class Pods:
    """A made table, and what it should come to."""

    file: Path
    phases: Counter[str]
    events: int


def pods(file: Path, jobs: int, seed: int = 1) -> Pods:
    """Write a table with the columns and the habits of a cluster's trace: a deletion time for all, also for what still runs."""
    chance = random.Random(seed)
    phases: Counter[str] = Counter()
    events = 0
    with file.open("w", encoding="utf-8") as stream:
        stream.write(",".join(POD_COLUMNS) + "\n")
        for nth in range(jobs):
            phase = chance.choices(("Running", "Failed", "Pending", "Succeeded"), (64, 23, 11, 2))[
                0
            ]
            created = nth * 7
            scheduled = "" if phase == "Pending" else created + chance.randrange(3)
            deleted = created + 10 + chance.randrange(1000)
            size = (
                f"{chance.randrange(64) * 500},{chance.randrange(64) * 1024},{chance.randrange(9)}"
            )
            spec = chance.choice(("", "", "V100M16|V100M32"))
            qos = chance.choice(("LS", "BE", "Burstable"))
            stream.write(
                f"pod-{seed}-{nth:06},{size},1000,{spec},{qos},{phase},{created},{deleted},{scheduled}\n"
            )
            phases[phase] += 1
            events += {"Pending": 2, "Running": 3}.get(phase, 4)
    return Pods(file, phases, events)


def imported(
    dsn: str,
    file: Path,
    map_text: str | None = None,
    *,
    project: str | None = "p",
    strict: bool = False,
    actor: str = "import:ann",
) -> tuple[Summary, list[tuple[int, str]]]:
    """Import a file: the summary, and the rejects with line and reason."""
    with Rejects(None) as rejects:
        rejects.first.extend([])
        kept: list[tuple[int, str]] = []
        add = rejects.add

        def keep(line: int, row: str, reason: str) -> None:
            kept.append((line, reason))
            add(line, row, reason)

        rejects.add = keep  # type: ignore[method-assign]
        map_ = None if map_text is None else parse(map_text)
        summary = bring(dsn, Order(file, project, map_, actor, strict), rejects)
    assert summary.rejected == len(kept)
    return summary, sorted(kept)


def text_file(folder: Path, text: str | bytes, name: str = "jobs.csv") -> Path:
    """A file with this text."""
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def log(dsn: str) -> list[Recorded]:
    """The whole log."""

    async def read() -> list[Recorded]:
        async with await AsyncConnection.connect(conninfo(dsn, Role.APP)) as connection:
            return await store.read_after(connection, 0, 10**6)

    return asyncio.run(read())


def jobs(dsn: str) -> dict[str, Job]:
    """The jobs of a log by their source_id, or else by their number."""
    folded = by_id(dsn)
    return {job.source_id or str(job.number): job for job in folded.values()}


def by_id(dsn: str) -> dict[UUID, Job]:
    """The jobs of a log by their id."""
    streams: dict[UUID, list[Recorded]] = {}
    for recorded in log(dsn):
        streams.setdefault(recorded.job_id, []).append(recorded)
    found = {}
    for job_id, history in streams.items():
        assert [one.version for one in history] == list(range(1, len(history) + 1))
        job = fold(history)
        assert job is not None
        found[job_id] = job
    return found


def stays(job: Job) -> list[tuple[str, str | None, str | None]]:
    """A job's history: state, time and note."""
    return [
        (stay.state.value, stay.at.strftime("%Y-%m-%dT%H:%M:%SZ") if stay.at else None, stay.note)
        for stay in job.history
    ]


def exported(
    dsn: str, file: Path, what: str = "log", form: str = "ndjson", project: str | None = None
) -> int:
    """Export into a file: how many lines."""

    async def write() -> int:
        async with await AsyncConnection.connect(
            conninfo(dsn, Role.APP), autocommit=True
        ) as connection:
            with file.open("wb") as stream:
                return await export.export(connection, what, form, project, stream)

    return asyncio.run(write())


@pytest.fixture
def other_database(
    postgres: embedded.Server, postgres_admin: psycopg.Connection, template_database: str
) -> Iterator[str]:
    """A second empty ledger beside the test's own, for what goes out of one and into the other."""
    with cloned(postgres, postgres_admin, template_database) as dsn:
        yield dsn


def counted(dsn: str, question: str) -> Any:
    """One value of the database."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def outcome(summary: Summary) -> tuple[int, int, int, int]:
    """Jobs made, events appended, rows that were there, rows rejected."""
    counts = summary.counts
    return counts.jobs, counts.events, counts.already, summary.rejected


def lines(*told: dict[str, Any]) -> str:
    """Some lines of NDJSON."""
    return "".join(json.dumps(line) + "\n" for line in told)


def write(dsn: str, *commands: Command) -> None:
    """Let commands happen as a client's would."""

    async def commit() -> None:
        async with Committer(dsn) as committer:
            for command in commands:
                await committer.commit(Write((command,)))

    asyncio.run(commit())
