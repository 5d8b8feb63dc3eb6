"""The demo as its user runs it: a process that shows the ledger from all sides, alone and beside another, and leaves nothing behind.

Invariants: both demos of this module run at the same time, once for all tests; whatever the demo prints is read back and compared here by other
means than its own. Units: seconds."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.fix_embedded import wait_until

CHECKOUT = Path(__file__).parents[2]
DEADLINE_S = 240.0
STATES = ["Created", "Queued", "Processing", "Failed", "Queued", "Processing", "Succeeded"]


@dataclass
class Demo:
    """A running demo, and what it has printed so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        """Take its lines until it ends."""
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            for line in stdout:
                with self.changed:
                    self.lines.append(line.rstrip("\n"))
                    self.changed.notify_all()

    def wait_for(self, pattern: str) -> None:
        """Until all that it has printed holds this."""
        with self.changed:
            found = self.changed.wait_for(lambda: re.search(pattern, self.said), DEADLINE_S)
        assert found, f"nothing like {pattern!r} in {self.said[-2000:]}"

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def section(self, title: str) -> list[str]:
        """The lines under a heading, its remark first."""
        after = self.said.partition(f"── {title}\n")[2]
        assert after, f"no section {title!r} in {self.said[-2000:]}"
        return after.partition("\n\n── ")[0].splitlines()

    def rows(self, title: str, columns: str) -> list[list[str]]:
        """The rows of a section's table, split where two blanks stand."""
        lines = self.section(title)
        head = next(
            place for place, line in enumerate(lines) if re.split(r" {2,}", line)[0] == columns
        )
        return [re.split(r" {2,}", line) for line in lines[head + 1 :] if "  " in line]

    @property
    def folder(self) -> Path:
        match = re.search(r"--data (\S+)", self.said)
        assert match
        return CHECKOUT / match[1]

    @property
    def port(self) -> int:
        match = re.search(r"ready http://127\.0\.0\.1:(\d+)", self.said)
        assert match
        return int(match[1])


@contextmanager
def running(*words: str) -> Iterator[Demo]:
    """A demo in a process group of its own, killed with the group should a test fail."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # an ignored one is inherited
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.demo", *words],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={
                **os.environ,
                "LEDGER_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/not-this-one",
            },
        )
    finally:
        signal.signal(signal.SIGINT, before)
    demo = Demo(process)
    reader = threading.Thread(target=demo.read)
    reader.start()
    try:
        yield demo
    finally:
        if process.poll() is None:
            process.terminate()  # it stops its server itself
            process.wait(DEADLINE_S)
        reader.join(DEADLINE_S)


@pytest.fixture(scope="module")
def demos() -> tuple[Demo, Demo]:
    """One demo that went on until Ctrl-C, and one that ended by itself meanwhile."""
    with running("--seed", "11") as interrupted:
        with running("--once") as once:
            once.process.wait(DEADLINE_S)
            at_once = interrupted.process.poll() is None
        interrupted.wait_for(r"── And so it goes on\n.*\n\d\d:\d\d:\d\d  (cloud|shop) ")
        assert at_once, interrupted.said[-2000:]
        os.killpg(interrupted.process.pid, signal.SIGINT)  # what a terminal does at Ctrl-C
        interrupted.process.wait(DEADLINE_S)
    return interrupted, once


@pytest.fixture
def once(demos: tuple[Demo, Demo]) -> Demo:
    return demos[1]


def test_both_end_well(demos: tuple[Demo, Demo]) -> None:
    for demo in demos:
        assert demo.process.returncode == 0, demo.said[-2000:]
        assert "stopped in order" in demo.section("The end")[0]
        assert "Traceback" not in demo.said


def test_nothing_is_left_behind(demos: tuple[Demo, Demo]) -> None:
    assert demos[0].folder != demos[1].folder
    for demo in demos:
        assert not demo.folder.exists()
        # Somebody beside us may have the port meanwhile, but not for long.
        wait_until(partial(refused, demo.port))
        if Path("/proc/self/cmdline").exists():
            assert not [line for line in command_lines() if str(demo.folder) + "/" in line + "/"]


def refused(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def command_lines() -> list[str]:
    """Of every process that there is."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it ended meanwhile
    return [line.replace(" ", "/") for line in found]


def native_job(demo: Demo) -> dict[str, Any]:
    job: dict[str, Any] = json.loads("\n".join(demo.section("One job, native JSON")[1:]))
    return job


def test_one_job_is_the_same_in_every_wording(once: Demo) -> None:
    job = native_job(once)
    assert [entry["state"] for entry in job["history"]] == STATES
    assert (job["state"], job["attempts"], job["failure"]) == ("Succeeded", 2, None)
    told = json.loads("\n".join(once.section("The same job, GoGrid JSON")[1:]))["list"][0]
    assert (told["id"], told["attempts"], told["detail"]) == (job["number"], 2, job["detail"])
    assert [entry["state"]["name"] for entry in told["history"]] == STATES
    element = ET.fromstring("".join(once.section("The same job, GoGrid XML")[1:]))
    names = [
        one.text for one in element.iterfind(".//object[@name='option']/attribute[@name='name']")
    ]
    assert names == [*STATES, "Succeeded", job["command"], job["type"]]
    summary, columns, row = once.section("The same job, GoGrid CSV")[1:]
    assert summary.startswith("# SUCCESS, /grid/job/get, TOTAL, 1,")
    cells = dict(zip(columns[2:].split(","), next(csv.reader([row])), strict=False))
    assert (cells["id"], cells["attempts"]) == (str(job["number"]), "2")
    assert [cells[f"history.{nth}.state.name"] for nth in range(1, 8)] == STATES


def test_the_history_is_that_of_the_job(once: Demo) -> None:
    rows = once.rows("Its history", "position")
    history = native_job(once)["history"]
    assert [row[:3] for row in rows] == [
        [str(entry["position"]), entry["state"], entry["at"]] for entry in history
    ]


def test_the_list_has_a_next_page_and_the_counts_add_up(once: Demo) -> None:
    listed = once.section("A list")
    assert re.search(
        r"^next: http://127\.0\.0\.1:\d+/v1/\S+&cursor=\S+$", "\n".join(listed), re.MULTILINE
    )
    assert len(once.rows("A list", "number")) == 5
    assert listed[-1].endswith("none twice, none missing.")
    for row in once.rows("Counts", "project"):
        *states, total = map(int, row[1:])
        assert sum(states) == total > 20
    jobs = sum(int(row[-1]) for row in once.rows("Counts", "project"))
    assert f"{jobs} jobs, " in "\n".join(once.section("A platform at work"))


def test_the_feed_is_whole(once: Demo) -> None:
    events = re.search(
        r"(\d+) events, positions 1 to (\d+), none missing", once.section("The feed")[-1]
    )
    acknowledged = re.search(r" jobs, (\d+) events", "\n".join(once.section("A platform at work")))
    assert events
    assert acknowledged
    assert events[1] == events[2] == acknowledged[1]


def test_refusals_are_told_in_words(once: Demo) -> None:
    problem = json.loads("\n".join(once.section("A refused transition")[2:]))
    assert (problem["status"], problem["code"]) == (409, "illegal_transition")
    assert [row[1:3] for row in once.rows("Refused as well", "asked")] == [
        ["412", "conflict"],
        ["422", "batch_refused"],
        ["422", "idempotency_key_reused"],
        ["404", "unknown_project"],
        ["403", "Authentication Failed"],
    ]


def test_addresses_and_a_key_are_offered(once: Demo) -> None:
    offered = "\n".join(once.section("Try it yourself"))
    assert f"http://127.0.0.1:{once.port}/docs" in offered
    assert re.search(r"^KEY=jl_\S+$", offered, re.MULTILINE)
    assert re.search(r"sig=[0-9a-f]{32}", "\n".join(once.section("Signed GoGrid addresses")))


def test_a_taken_port_is_said_and_nothing_is_left() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with running("--once", "--port", str(taken.getsockname()[1])) as demo:
            demo.process.wait(DEADLINE_S)
    assert demo.process.returncode == 1
    assert re.search(
        r"^demo: `jobledger serve` ended with status 1: .* cannot be used", demo.said, re.MULTILINE
    )
    assert not demo.folder.exists()
