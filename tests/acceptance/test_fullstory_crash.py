"""Batches while servers and their database are killed with -9 in the middle of them: every item has exactly one effect and exactly one result.

Each item's note is its index, so that the log itself tells what was applied, in which order and how often. LEDGER_CRASH_ROUNDS kills more
often. The bugs that this guards against are sown in tests/api/test_batch_worker.py, where a crash comes at a chosen place."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter

import httpx2 as httpx
import psycopg

from ledger.events import Recorded
from tests.acceptance.test_crash import dsn_of, kill_all_of, whole_log
from tests.fix_command import Command, Serving
from tests.fix_fullstory import BATCH, Json, item, listed, taken

ROUNDS = int(os.environ.get("LEDGER_CRASH_ROUNDS", "3"))
JOBS = 700 * ROUNDS
UNKNOWN_EACH = 50  # every so many jobs there is an item about none
DEADLINE_S = 60


def items() -> list[Json]:
    """Lives of jobs, and items that must fail; each notes its own index."""
    made: list[Json] = []

    def add(event: str, job: str, **properties: str) -> None:
        made.append(item(event, job, note=str(len(made)), **properties))

    for nth in range(JOBS):
        add("created", f"job {nth}", type="VirtualServer")
        add("started", f"job {nth}")
        if nth % UNKNOWN_EACH == 0:
            add("succeeded", f"nobody {nth}")
        add("succeeded", f"job {nth}")
    return made


def status(serving: Serving, key: str, job_id: str) -> Json:
    """A poll that goes on while the server, or its database, is away."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            with serving.client(key) as client:
                answer = client.get(f"{BATCH}/{job_id}")
            if answer.status_code == 200:
                told: Json = answer.json()
                return told
            assert answer.status_code == 503, answer.text
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline, serving.errors.read_text()[-2_000:]
        time.sleep(0.05)


def wait_for(serving: Serving, key: str, job_id: str, imports: int) -> Json:
    """Until so many items are in, or the batch is over."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        told = status(serving, key, job_id)
        if told["imports"] >= imports or told["job"]["status"] != "PROCESSING":
            return told
        assert time.monotonic() < deadline, serving.errors.read_text()[-2_000:]


def check(log: list[Recorded], sent: list[Json], imports: list[Json], errors: list[Json]) -> None:
    """Every item once, in order, where its result says."""
    bad = [nth for nth, one in enumerate(sent) if "nobody" in one["properties"]["job"]]
    good = [nth for nth in range(len(sent)) if nth not in set(bad)]
    applied = [one for one in log if one.note is not None and one.topic != "job.items_reported"]
    doubled = {note: n for note, n in Counter(one.note for one in applied).items() if n > 1}
    assert not doubled
    assert [int(one.note or "") for one in applied] == good, "an item is lost or out of order"
    assert [one["ledger"]["position"] for one in imports] == [one.position for one in applied]
    assert [int(one["properties"]["note"]) for one in imports] == good
    assert [int(one["event"]["properties"]["note"]) for one in errors] == bad
    assert {one["code"] for one in errors} == {"resource_not_found"}


def ended(command: Command, serving: Serving, key: str, job_id: str, sent: list[Json]) -> None:
    """Wait for the end, and check all that is told and kept."""
    told = wait_for(serving, key, job_id, len(sent))
    with serving.client(key) as client:
        imports, errors = (listed(client, job_id, which) for which in ("imports", "errors"))
    assert (told["job"]["status"], told["imports"]) == ("FAILED", len(imports))
    assert told["errors"] == len(errors) == -(-JOBS // UNKNOWN_EACH)
    dsn = dsn_of(command)
    check(asyncio.run(whole_log(dsn)), sent, imports, errors)
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT count(*), count(DISTINCT nth) FROM ledger.batch_results")
        assert rows.fetchone() == (len(sent), len(sent))


def new_key(command: Command) -> str:
    scopes = ("--scope", "jobs:read", "--scope", "jobs:write")
    return str(command.answer("keys", "create", "--project", "p", *scopes)["key"])


def test_a_batch_survives_kill_9_in_its_middle(command: Command) -> None:
    chance = random.Random(42)
    serving, key, sent = command.serve(), new_key(command), items()
    with serving.client(key) as client:
        job_id = taken(client, sent)
    in_the_middle = 0
    for nth in range(ROUNDS):
        share = (nth + chance.random()) / (ROUNDS + 1)
        told = wait_for(serving, key, job_id, int(len(sent) * share))
        kill_all_of(command, serving, ("server", "server and postgres", "postgres")[nth % 3])
        in_the_middle += told["job"]["status"] == "PROCESSING"
        if serving.process.poll() is not None:
            serving = command.serve()
    # A machine that stands still for a moment may miss one of the middles.
    assert in_the_middle > 0, "the batch was too short for this machine"
    ended(command, serving, key, job_id, sent)
    assert serving.end() == 0


def test_another_server_goes_on_where_one_was_killed(command: Command) -> None:
    first = command.serve()
    second = command.serve()
    key, sent = new_key(command), items()
    with second.client(key) as client:
        job_id = taken(client, sent)
    # The first came first, so it is the one that works; the second took the batch and stands by.
    told = wait_for(second, key, job_id, len(sent) // 10)
    assert told["job"]["status"] == "PROCESSING"
    first.end(signal.SIGKILL)
    ended(command, second, key, job_id, sent)
    assert second.end() == 0
