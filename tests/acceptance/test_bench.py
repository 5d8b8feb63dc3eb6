"""The benchmark runs, whole, in its short form, and says what it found in the agreed shape; no figure is judged here.

Invariants: it runs as a user runs it, in a process of its own; nothing that it started is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts.benchmarks.client import loaded, request
from scripts.benchmarks.contest import Outcome
from scripts.benchmarks.goals import CONTESTANTS, GOALS, NAMES, Goal
from scripts.benchmarks.slot import Measured, Spoilt

CHECKOUT = Path(__file__).parents[2]
LIMIT_S = 90.0  # well under the test's own, since ending takes a moment, too


def bench(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.bench", *arguments]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            said, words = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.terminate()  # it ends what it has started, as after Ctrl-C
            said, words = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, said, words)


@pytest.mark.parametrize("name", NAMES)
def test_the_short_form_says_what_it_found(name: str, tmp_path: Path) -> None:
    finished = bench(name, "--short", "--json", folder=tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    document = json.loads(finished.stdout)
    assert {"processors", "postgresql", "python", "fdatasync_ms"} <= set(document["machine"])
    assert document["how"]["judged"] is False
    asked = [
        (goal.name, goal.number, goal.subject, goal.control) for goal in GOALS if goal.name == name
    ]
    found = [
        (entry["name"], entry["goal"], entry["subject"]["name"], entry["control"]["name"])
        for entry in document["goals"]
    ]
    assert found == asked
    for entry in document["goals"]:
        check_entry(entry)
        if name.endswith("-http"):
            (slot,) = entry["subject"]["slots"]
            assert min(slot["server_cpu_us"], slot["database_cpu_us"], slot["load_cpu_us"]) > 0
    assert not list(tmp_path.iterdir())


def check_entry(entry: dict[str, Any]) -> None:
    assert entry["fault"] is None
    assert entry["met"] is None, "the short form judges nothing"
    for side in ("subject", "control"):
        assert entry[side]["figure"] > 0
        assert len(entry[side]["slots"]) == 1
    low, high = entry["spread"]
    assert low <= entry["ratio"] <= high
    assert entry["subject"]["figure"] / entry["control"]["figure"] == pytest.approx(entry["ratio"])


def test_the_table_has_a_line_for_each_goal(tmp_path: Path) -> None:
    finished = bench("append-process", "--short", folder=tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    lines = [
        line for line in finished.stdout.splitlines() if line.startswith("append-process (G2)")
    ]
    assert len(lines) == len([goal for goal in GOALS if goal.name == "append-process"])
    assert "PostgreSQL 1" in finished.stdout.splitlines()[-1]


def test_an_unknown_name_is_refused_with_those_there_are(tmp_path: Path) -> None:
    finished = bench("append-htpp", folder=tmp_path)
    assert finished.returncode == 2
    assert all(name in finished.stderr for name in NAMES)


def test_goals_name_contestants_and_one_bar_each() -> None:
    for goal in GOALS:
        assert {goal.subject, goal.control} <= set(CONTESTANTS)
        assert (goal.at_least is None) != (goal.at_most is None)
    assert {title for goal in GOALS for title in (goal.subject, goal.control)} == set(CONTESTANTS)


def test_the_median_of_the_pairs_is_judged() -> None:
    goal = Goal("x", "G0", "subject", "control", at_least=2.0)
    sides = ((Measured(10.0),) * 3, (Measured(5.0),) * 3)
    assert Outcome(goal, (1.0, 2.0, 9.0), *sides).met
    assert not Outcome(goal, (1.0, 1.9, 9.0), *sides).met
    assert not Outcome(goal, fault="it broke").met
    slower = Goal("x", "G0", "subject", "control", at_most=1.2, measure="p50_ms")
    assert slower.met(1.2)
    assert not slower.met(1.3)


class Moody(BaseHTTPRequestHandler):
    """Answers as the path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status = int(self.path.strip("/"))
        self.send_response(status)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        """Nothing to say."""


@pytest.fixture
def moody_port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Moody) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_answers_count_only_when_they_are_all_good(moody_port: int) -> None:
    good, bad = request("GET", "/200"), request("GET", "/503")
    with loaded(os.getpid()) as load:
        played = load.play(moody_port, [good], connections=2, slot_s=0.1, spread=False)
        assert played.answered >= 2
        assert 0 < played.measured.rate <= played.answered / 0.1
        with pytest.raises(Spoilt, match="503"):
            load.play(moody_port, [good, good, bad], connections=2, slot_s=5.0, spread=False)
