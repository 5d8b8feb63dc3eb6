"""The golden log: a log as a released version wrote it, and what was answered of its past, byte for byte.

Invariants: a folder `tests/golden/log_N` is written once, when a version is released, and never changed: `python -m tests.golden_log N` refuses to
write over one. Rows are as they are stored; answers are of a server that is called ledger.example."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psycopg

from api.dialects.gogrid.signature import sign
from api.operation import Scope
from api.secret import SECRET_BYTES, Secret
from ledger import embedded, migrate
from scripts.benchmarks.follow import SQL
from tests.fix_jobs import A, play
from tests.fix_server import LiveServer, serve

GOLDEN = Path(__file__).parent / "golden"
HOST = "ledger.example"
_COLUMNS = (
    *("notification_id", "originator_id", "originator_version", "topic", "event_id", "project"),
    *("occurred_at", "recorded_at", "credential_id", "salt"),
)
_NATIVE = f"/v1/projects/{A}"
# What is asked of each moment: {job} and {number} are those of a job, {then} is the moment.
QUESTIONS: tuple[tuple[str, str], ...] = (
    ("native", f"{_NATIVE}/jobs?limit=4&count=exact&{{then}}"),
    ("native", f"{_NATIVE}/jobs?limit=3&sort=updated&state=Failed&state=Queued&count=exact&{{then}}"),
    ("native", f"{_NATIVE}/jobs?limit=3&sort=-state&phase=in-progress&phase=failed&{{then}}"),
    ("native", f"{_NATIVE}/jobs?limit=2&sort=type&owner=bob&outcome=Retrying&outcome=Created&{{then}}"),
    ("native", f"{_NATIVE}/jobs/{{job}}?{{then}}"),
    ("native", f"{_NATIVE}/jobs/{{job}}/history?{{then}}"),
    ("native", f"{_NATIVE}/counts?{{then}}"),
    ("gogrid", "/api/grid/job/list?num_items=3&startdate=2024-01-01&{then}"),
    ("gogrid", "/api/grid/job/list?num_items=3&format=xml&startdate=2024-01-01&job.state=Failed&{then}"),
    ("gogrid", "/api/grid/job/list?num_items=3&page=1&format=csv&startdate=2024-01-01&{then}"),
    ("gogrid", "/api/grid/job/list?num_items=2&{then}"),
    ("gogrid", "/api/grid/job/get?id={number}&{then}"),
    ("comestri", "/api/v2/jobs?per_page=3&page=2&{then}"),
    ("comestri", "/api/v2/jobs/{number}?{then}"),
    ("orange", f"/projects/{A}/jobs?limit=3&sort=-state,createdDate&{{then}}"),
    ("orange", f"/projects/{A}/jobs/{{job}}?{{then}}"),
    ("geoop", "/jobs?recordsPerPage=3&sort=-updated&{then}"),
    ("geoop", "/jobs/{number}?{then}"),
    ("fullstory", "/v2/events/batch/{job}?{then}"),
)  # fmt: skip


@dataclass(frozen=True)
class Asking:
    """A server on a golden log, and credentials of the project in it."""

    server: LiveServer
    key: str
    signing: tuple[str, str]
    client: httpx.Client

    def answer(self, dialect: str, path: str) -> httpx.Response:
        """What is answered to a GET."""
        headers = {"Host": HOST, "Authorization": f"Bearer {self.key}"}
        if dialect == "gogrid":
            api_key, secret = self.signing
            sig = sign(api_key, secret, int(time.time()))
            path, headers = f"{path}&v=1.9&api_key={api_key}&sig={sig}", {"Host": HOST}
        if dialect == "fullstory":
            headers["Authorization"] = f"Basic {self.key}"
        return self.client.get(path, headers=headers)


def load(dsn: str, folder: Path) -> None:
    """Put a golden log into an empty ledger, past every guard."""
    with psycopg.connect(dsn, autocommit=True) as connection, connection.transaction():
        connection.execute("SET session_replication_role = replica")
        for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            names, places = ", ".join((*_COLUMNS, "state")), ", ".join(["%s"] * len(_COLUMNS))
            connection.execute(
                f"INSERT INTO ledger.stored_events ({names}) VALUES ({places}, %s)".encode(),
                [*(row[column] for column in _COLUMNS), row["state"].encode()],
            )
        # What ledger.append would have left beside them, so that more can be recorded.
        connection.execute(SQL["seed_identities"])
        connection.execute(SQL["seed_head"])


@contextmanager
def asking(dsn: str) -> Iterator[Asking]:
    """A server on a ledger."""
    secret = Secret(secrets.token_bytes(SECRET_BYTES))
    with contextmanager(serve)(dsn, secret) as server:
        key, _ = server.make_key(A, (Scope.JOBS_READ,))
        signing = server.make_key(A, (Scope.JOBS_READ,), signing=True)
        yield Asking(server, key, signing, server.opened())


def answers(folder: Path) -> list[dict[str, Any]]:
    """The golden answers: dialect, path, headers and body."""
    lines = (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def shown(answer: httpx.Response) -> dict[str, Any]:
    """What must never change of an answer."""
    names = ("content-type", "etag", "ledger-position", "ledger-as-of", "cache-control", "link",
             "x-total-count", "x-result-count")  # fmt: skip
    if answer.status_code != 200:
        # A refusal names the request that it was of.
        return {"status": answer.status_code}
    return {
        "status": answer.status_code,
        "headers": {name: answer.headers[name] for name in names if name in answer.headers},
        "body": base64.b64encode(answer.content).decode()
        if not answer.content.isascii()
        else answer.text,
    }


def _stored(dsn: str) -> list[dict[str, Any]]:
    with psycopg.connect(dsn, autocommit=True, options="-c timezone=UTC") as connection:
        names = ", ".join((*_COLUMNS, "state"))
        rows = connection.execute(
            f"SELECT {names} FROM ledger.stored_events ORDER BY notification_id".encode()
        ).fetchall()
    return [
        {
            **{
                name: value.isoformat(timespec="microseconds")
                if hasattr(value, "isoformat")
                else str(value)
                if name in ("originator_id", "event_id", "salt")
                else value
                for name, value in zip(_COLUMNS, row, strict=False)
            },
            "state": bytes(row[-1]).decode(),
        }
        for row in rows
    ]


def _moments(log: list[dict[str, Any]]) -> Iterator[str]:
    """Positions, a time of record and one of occurrence, as words."""
    end = len(log)
    yield from (f"as_of={position}" for position in (1, end // 3, end // 2, end))
    recorded = log[end * 3 // 4]["recorded_at"].replace("+00:00", "Z")
    yield f"as_of={recorded}"
    claims = sorted(row["occurred_at"] for row in log if row["occurred_at"])
    occurred = claims[len(claims) // 2].replace("+00:00", "Z")
    yield f"as_of={occurred}&as_of_kind=occurred&as_of_position={end - 7}"


def make(folder: Path) -> None:
    """Write a new golden log and the answers that this version gives of it."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as data:
        server = embedded.start(Path(data))
        try:
            for name in ("made", "loaded"):
                with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
                    admin.execute(f"CREATE DATABASE {name}".encode())
                migrate.migrate(server.dsn(name))
            asyncio.run(play(server.dsn("made"), jobs=32, seed=60_531))
            log = _stored(server.dsn("made"))
            (folder / "log.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in log))
            load(server.dsn("loaded"), folder)
            with asking(server.dsn("loaded")) as asked:
                lines = list(_asked(asked, log))
        finally:
            server.stop("immediate")
    (folder / "answers.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def _asked(asked: Asking, log: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    born = next(row for row in log if row["project"] == A and row["originator_version"] == 1)
    job, number = born["originator_id"], json.loads(born["state"])["event"]["number"]
    for then in _moments(log):
        for dialect, template in QUESTIONS:
            path = template.format(job=job, number=number, then=then)
            yield {"dialect": dialect, "path": path, **shown(asked.answer(dialect, path))}


if __name__ == "__main__":
    make(GOLDEN / f"log_{int(sys.argv[1])}")
