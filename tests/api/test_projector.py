"""The projector beside a server: it folds, is started again when it ends, and does not outlive its parent."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.fix_command import Command, Serving
from tests.fix_embedded import wait_until

WRITING = ("--scope", "jobs:read", "--scope", "jobs:write")


def projectors(serving: Serving) -> list[int]:
    """The pids of the projectors that a server started and that still run."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if b"project" in words and b"--leashed" in words and int(parent) == serving.process.pid:
                found.append(int(process.name))
    return found


def test_it_is_started_again_and_ends_with_its_parent(command: Command) -> None:
    serving = command.serve()
    key = command.answer("keys", "create", "--project", "p", *WRITING)["key"]
    job = serving.create_job(key)
    (first,) = projectors(serving)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: bool(projectors(serving)) and projectors(serving) != [first])
    later = serving.create_job(key)
    with serving.client(key) as api:
        wait_until(lambda: api.get(f"/v1/projects/p/jobs/{later['id']}").status_code == 200)
        assert api.get(f"/v1/projects/p/jobs/{job['id']}").json() == job
    (second,) = projectors(serving)
    assert serving.end(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not Path(f"/proc/{second}").exists())
    log = [json.loads(line) for line in serving.errors.read_text().splitlines()]
    assert [line["status"] for line in log if line["event"].startswith("the projector")] == [-9]


def test_one_by_itself_folds_for_a_server_without(command: Command) -> None:
    by_itself = command.start("project")
    wait_until(lambda: command.postgres() is not None)
    serving = command.serve("--no-projections")
    key = command.answer("keys", "create", "--project", "p", *WRITING)["key"]
    job = serving.create_job(key)
    assert projectors(serving) == []
    with serving.client(key) as api:
        wait_until(lambda: api.get(f"/v1/projects/p/jobs/{job['id']}").status_code == 200)
    assert by_itself.end() == 0
    assert serving.end() == 0
