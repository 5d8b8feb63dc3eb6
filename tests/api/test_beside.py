"""Processes beside a server: each does its work, is started again when it ends, and does not outlive its parent."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import httpx2 as httpx

from tests.fix_command import DEADLINE_S, Command, Serving
from tests.fix_embedded import wait_until

WRITING = ("--scope", "jobs:read", "--scope", "jobs:write")


def beside(serving: Serving, command: bytes = b"project") -> list[int]:
    """The pids of the processes that a server started to do this and that still run."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if command in words and b"--leashed" in words and int(parent) == serving.process.pid:
                found.append(int(process.name))
    return found


def test_it_is_started_again_and_ends_with_its_parent(command: Command) -> None:
    serving = command.serve()
    key = command.answer("keys", "create", "--project", "p", *WRITING)["key"]
    job = serving.create_job(key)
    (first,) = beside(serving)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: bool(beside(serving)) and beside(serving) != [first])
    later = serving.create_job(key)
    with serving.client(key) as api:
        wait_until(lambda: api.get(f"/v1/projects/p/jobs/{later['id']}").status_code == 200)
        assert api.get(f"/v1/projects/p/jobs/{job['id']}").json() == job
    (second,) = beside(serving)
    assert serving.end(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not Path(f"/proc/{second}").exists())
    log = [json.loads(line) for line in serving.errors.read_text().splitlines()]
    assert [line["status"] for line in log if line.get("what") == "the projector"] == [-9]


def test_one_by_itself_folds_for_a_server_without(command: Command) -> None:
    by_itself = command.start("project")
    wait_until(lambda: command.postgres() is not None)
    serving = command.serve("--no-projections")
    key = command.answer("keys", "create", "--project", "p", *WRITING)["key"]
    job = serving.create_job(key)
    assert beside(serving) == []
    with serving.client(key) as api:
        wait_until(lambda: api.get(f"/v1/projects/p/jobs/{job['id']}").status_code == 200)
    assert by_itself.end() == 0
    assert serving.end() == 0


def test_workers_answer_on_one_address(command: Command) -> None:
    serving = command.serve("--workers", "3")
    key = command.answer("keys", "create", "--project", "p", *WRITING)["key"]
    first, second = beside(serving, b"serve")
    wait_until(lambda: answers(serving) >= {serving.process.pid, first, second})
    # Whoever answers, a write is there for whoever is asked next.
    for _ in range(20):
        job = serving.create_job(key)
        with serving.client(key) as api:
            assert api.get(f"/v1/projects/p/jobs/{job['id']}").json() == job
    os.kill(second, signal.SIGKILL)
    wait_until(
        lambda: len(beside(serving, b"serve")) == 2 and second not in beside(serving, b"serve")
    )
    assert serving.end() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in (first, second))


def answers(serving: Serving) -> set[int]:
    """Which processes take connections: each has its own."""
    assert serving.url is not None
    clients = [httpx.Client(base_url=serving.url, timeout=DEADLINE_S) for _ in range(30)]
    for client in clients:
        assert client.get("/livez").status_code == 200
    found = {pid for pid in [serving.process.pid, *beside(serving, b"serve")] if connected(pid)}
    for client in clients:
        client.close()
    return found


def connected(pid: int) -> bool:
    """Whether a process holds a client's TCP connection."""
    held = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            held.add(str(descriptor.readlink()))
    table = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    established = {f"socket:[{row.split()[9]}]" for row in table if row.split()[3] == "01"}
    return bool(held & established)
