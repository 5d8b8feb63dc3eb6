"""The benchmark runs, whole, in its short form, and says what it found in the agreed shape; no figure is judged here.

Invariants: it runs as a user runs it, in a process of its own; nothing that it started is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from scripts.benchmarks import contest, dataset, report
from scripts.benchmarks.child import ChildFailed
from scripts.benchmarks.client import loaded, request
from scripts.benchmarks.contest import Outcome, Terms
from scripts.benchmarks.disk import Disk
from scripts.benchmarks.follow import SQL
from scripts.benchmarks.goals import CONTESTANTS, GOALS, NAMES, WHOLE, Goal
from scripts.benchmarks.scene import Ground
from scripts.benchmarks.slot import Contestant, Measured, Slot, Spoilt
from scripts.benchmarks.witness import Seen

CHECKOUT = Path(__file__).parents[2]
LIMIT_S = 540.0  # well under the test's own, since ending takes a moment, too


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


@pytest.mark.timeout(600)
# Two runs, so that two processors share them; each has a server of its own.
@pytest.mark.parametrize("names", [WHOLE[::2], WHOLE[1::2]], ids=("even", "odd"))
def test_the_short_form_says_what_it_found(names: tuple[str, ...], tmp_path: Path) -> None:
    finished = bench(*names, "--short", "--json", folder=tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    document = json.loads(finished.stdout)
    assert {"processors", "postgresql", "python", "fdatasync_ms"} <= set(document["machine"])
    assert document["how"]["judged"] is False
    asked = [
        (goal.name, goal.number, *goal.contestants)
        for name in NAMES
        for goal in GOALS
        if goal.name == name and name in names
    ]
    found = [
        (
            entry["name"],
            entry["goal"],
            *(entry[side]["name"] for side in ("subject", "control") if entry[side]),
        )
        for entry in document["goals"]
    ]
    assert found == asked
    for entry in document["goals"]:
        check_entry(entry)
        if entry["name"].endswith("-http"):
            (slot,) = entry["subject"]["slots"]
            assert min(slot["server_cpu_us"], slot["database_cpu_us"], slot["load_cpu_us"]) > 0
    assert not list(tmp_path.iterdir())


def check_entry(entry: dict[str, Any]) -> None:
    assert entry["fault"] is None
    assert entry["met"] is None, "the short form judges nothing"
    sides = [entry[side] for side in ("subject", "control") if entry[side] is not None]
    for side in sides:
        assert side["figure"] >= 0
        assert len(side["slots"]) == 1
    low, high = entry["spread"]
    assert low <= entry["ratio"] <= high
    figure, control = sides[0]["figure"], sides[-1]["figure"] if len(sides) > 1 else 1.0
    assert figure / control == pytest.approx(entry["ratio"])


def test_the_table_has_a_line_for_each_goal() -> None:
    outcomes = [
        Outcome(
            goal,
            (1.5,),
            (measured(goal, 3.0),),
            (measured(goal, 2.0),) * (goal.control is not None),
        )
        for goal in GOALS
    ]
    note = {
        "processors": 2,
        "system": "Linux",
        "postgresql": "18.6",
        "python": "3.11",
        "load_before": 0.1,
        "fdatasync_ms": {"median": 1, "min": 1, "max": 1},
        "slots_on_a_restless_disk": 0,
    }
    lines = report.table(outcomes, note, Terms(1, 0.1, judged=True)).splitlines()
    for goal, line in zip(GOALS, lines[2:], strict=False):
        assert line.startswith(f"{goal.name} ({goal.number})")
        judged = goal.is_judged and ("met" if goal.met(1.5) else "NOT MET")
        assert line.endswith(judged or "-")
    assert "PostgreSQL 18.6" in lines[-1]


def measured(goal: Goal, figure: float) -> Measured:
    return Measured(figure, figure, figure, {goal.measure: figure})


def test_an_unknown_name_is_refused_with_those_there_are(tmp_path: Path) -> None:
    finished = bench("append-htpp", folder=tmp_path)
    assert finished.returncode == 2
    assert all(name in finished.stderr for name in NAMES)


def test_goals_name_contestants_and_one_bar_each() -> None:
    for goal in GOALS:
        assert set(goal.contestants) <= set(CONTESTANTS)
        assert goal.at_least is None or goal.at_most is None
    assert {title for goal in GOALS for title in goal.contestants} == set(CONTESTANTS)
    assert {goal.name for goal in GOALS} == set(NAMES)


def test_who_breaks_down_spoils_nobody_elses_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen red with a peer that fell silent, for which six other figures were thrown away."""
    rates = iter((1.0, 2.0, 3.0))

    def silent(slot_s: float) -> Measured:
        raise ChildFailed("it said nothing")

    def contestant(title: str, slot: Slot) -> Contestant:
        return Contestant(title, "events", lambda scene: nullcontext(slot))

    contestants = {
        "ours": contestant("ours", lambda slot_s: Measured(6.0)),
        "theirs": contestant("theirs", lambda slot_s: Measured(next(rates))),
        "silent": contestant("silent", silent),
    }
    goals = [Goal("x", "G0", "ours", control) for control in ("silent", "theirs")]
    monkeypatch.setattr(contest, "CONTESTANTS", contestants)
    monkeypatch.setattr(contest, "GOALS", goals)
    monkeypatch.setattr(contest, "scene_on", nullcontext)
    ground, disk = cast("Ground", None), cast("Disk", SimpleNamespace(calm=lambda: None))
    broken, whole = contest.held("x", ground, disk, Terms(2, 1.0, judged=False))
    assert (broken.fault, broken.ratios) == ("it said nothing", ())
    assert (whole.fault, whole.ratios) == (None, (3.0, 2.0))


def test_the_median_of_the_pairs_is_judged() -> None:
    goal = Goal("x", "G0", "subject", "control", at_least=2.0)
    sides = ((Measured(10.0),) * 3, (Measured(5.0),) * 3)
    assert Outcome(goal, (1.0, 2.0, 9.0), *sides).met
    assert not Outcome(goal, (1.0, 1.9, 9.0), *sides).met
    assert not Outcome(goal, fault="it broke").met
    assert Outcome(Goal("x", "G0", "subject", at_most=5.0), (1.0, 5.0, 9.0), sides[0]).met
    slower = Goal("x", "G0", "subject", "control", at_most=1.2, measure="p50_ms")
    assert slower.met(1.2)
    assert not slower.met(1.3)


JOB = "01980000-0000-7000-8000-000000000001"
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/good": (200, {"content-length": "2"}, b"{}"),
    "/busy": (503, {"content-length": "2"}, b"{}"),
    "/endless": (200, {}, b""),
    "/told": (201, {"content-length": "45"}, b'{"id":"%b"}' % JOB.encode()),
    "/addressed": (201, {"content-length": "0", "location": f"http://ledger/jobs/{JOB}"}, b""),
    f"/{JOB}": (204, {}, b""),
}


class Moody(BaseHTTPRequestHandler):
    """Answers as the path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, headers, body = ANSWERS.get(self.path, (404, {"content-length": "0"}, b""))
        self.send_response(status)
        for name, word in headers.items():
            self.send_header(name, word)
        self.end_headers()
        self.wfile.write(body)

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
    good, bad = request("GET", "/good"), request("GET", "/busy")
    with loaded(os.getpid()) as load:
        played = load.play(moody_port, [good], connections=2, slot_s=0.1, spread=False)
        assert played.answered >= 2
        assert 0 < played.measured.rate <= played.answered / 0.1
        with pytest.raises(Spoilt, match="503"):
            load.play(moody_port, [good, good, bad], connections=2, slot_s=5.0, spread=False)


@pytest.mark.parametrize("born", ["/told", "/addressed"])
def test_a_new_job_is_known_by_its_body_or_its_address(moody_port: int, born: str) -> None:
    """Seen red with ids that are looked for in bodies alone, and with a 204 whose content-length is missed."""
    with loaded(os.getpid()) as load:
        steps = [request("GET", born), request("GET", "/{id}")]
        assert load.play(moody_port, steps, connections=2, slot_s=0.5).answered >= 4
        with pytest.raises(Spoilt, match="content-length"):
            load.play(moody_port, [request("GET", "/endless")], connections=1, slot_s=0.1)


def test_a_slot_counts_only_when_its_witnesses_saw_what_is_in_the_log(database: str) -> None:
    """Each of the four is a bug that a ledger might have: an event missed, seen twice, seen too early; two winners of a race."""
    with psycopg.connect(database, autocommit=True) as owner:
        dataset.grow(owner, 20)
        log = owner.execute(SQL["follow"], (0, 1_000)).fetchall()

    def check(followed: list[tuple[int, str]], winners: list[int]) -> None:
        seen = Seen(database, 0, "", 0)
        seen.followed, seen.winners = followed, winners
        seen.check(len(log))

    check(log, [1, 1])
    for followed in (log[:7] + log[8:], log[:8] + log[7:], [*log[:7], log[8], log[7], *log[9:]]):
        with pytest.raises(Spoilt, match="follower"):
            check(followed, [1])
    with pytest.raises(Spoilt, match="follower"):
        check(log[:-1], [1])
    with pytest.raises(Spoilt, match="winners"):
        check(log, [1, 2])
