"""Import and export as their users run them: on a data folder, beside a running server, through pipes, and killed in the middle."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from ledger import embedded
from tests.fix_command import COMMAND, Command
from tests.fix_embedded import wait_until
from tests.fix_transfer import HEADER, MAP, POD_MAP, Pods, by_id, pods, text_file

README = Path(__file__).parents[2] / "README.md"
STATES = {
    "Running": "Processing",
    "Pending": "Queued",
    "Succeeded": "Succeeded",
    "Failed": "Failed",
}
DAY = "2024-01-01"


@pytest.fixture
def pod_map(tmp_path: Path) -> Path:
    return text_file(tmp_path, POD_MAP, "pods.toml")


def words(made: Pods, pod_map: Path, *more: str) -> tuple[str, ...]:
    rejects = ("--rejects", str(made.file.parent / "rejects.csv"))
    return (
        "import",
        str(made.file),
        "--project",
        "cluster",
        "--map",
        str(pod_map),
        *rejects,
        *more,
    )


def test_a_trace_is_imported_listed_and_imported_again(
    command: Command, tmp_path: Path, pod_map: Path
) -> None:
    made = pods(tmp_path / "pods.csv", 2_000)
    answer = command.answer(*words(made, pod_map))
    assert answer.pop("seconds") > 0
    expected = {"already": 0, "rejected": 0, "rejects": None, "position": made.events}
    assert answer == {"jobs": 2_000, "events": made.events, **expected}
    check_read_models(command, made)
    again = command.answer(*words(made, pod_map))
    assert (again["jobs"], again["events"], again["already"]) == (0, 0, 2_000)
    assert again["position"] == made.events
    check_read_models(command, made)
    assert not (tmp_path / "rejects.csv").exists()
    assert command.postgres() is None


def check_read_models(command: Command, made: Pods) -> None:
    """Nothing lags, and what the list says is what was counted while the file was made."""
    status = command.answer("status")
    assert status["position"] == made.events
    assert {one["lag"] for one in status["projections"].values()} == {0}
    with made.file.open(newline="") as stream:
        kinds = Counter((row["pod_phase"], row["qos"]) for row in csv.DictReader(stream))
    for (phase, kind), jobs in kinds.items():
        if phase in ("Failed", "Pending"):
            assert total(command, "--state", STATES[phase], "--type", kind) == jobs
    assert total(command) == 2_000


def total(command: Command, *filters: str) -> int:
    found = command.answer(
        "jobs", "list", "--project", "cluster", "--limit", "1", "--total", *filters
    )["total"]
    assert isinstance(found, int)
    return found


def test_an_import_that_is_killed_is_finished_by_the_next(
    command: Command, tmp_path: Path, pod_map: Path
) -> None:
    made = pods(tmp_path / "pods.csv", 6_000)
    rows = made.file.read_bytes().splitlines(keepends=True)
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    importing = command.start("import", str(pipe), "--project", "cluster", "--map", str(pod_map))
    with pipe.open("wb", buffering=0) as stream:
        stream.write(b"".join(rows[:3_001]))
        wait_until(lambda: command.postgres() is not None)
        server = embedded.running(command.data)
        assert server is not None
        wait_until(lambda: head(server.dsn()) > 0)
        importing.process.send_signal(signal.SIGKILL)
        assert importing.process.wait(60) == -signal.SIGKILL
    saved = head(server.dsn())  # at least: what the database was told to do, it may still be doing
    answer = command.answer(*words(made, pod_map))
    assert 0 < answer["already"] <= 3_000
    assert (answer["already"] + answer["jobs"], answer["rejected"]) == (6_000, 0)
    assert answer["events"] <= made.events - saved
    assert answer["position"] == made.events
    assert len(by_id(server.dsn())) == 6_000
    again = command.answer(*words(made, pod_map))
    assert (again["events"], again["already"], again["position"]) == (0, 6_000, made.events)
    server.leave()


def head(dsn: str) -> int:
    """Where the log stands; 0 while there is none."""
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            row = connection.execute("SELECT position FROM ledger.head").fetchone()
    except psycopg.errors.UndefinedTable:
        return 0
    return int(row[0]) if row else 0


def test_beside_a_running_server(command: Command, tmp_path: Path, pod_map: Path) -> None:
    made = pods(tmp_path / "pods.csv", 500)
    serving = command.serve()
    key = command.answer("keys", "create", "--project", "cluster", "--scope", "jobs:read")["key"]
    assert command.answer(*words(made, pod_map, "--strict"))["events"] == made.events
    with serving.client(key) as client:
        found = client.get(
            "/v1/projects/cluster/jobs", params={"count": "exact", "state": "Failed"}
        ).json()
    assert found["total"] == made.phases["Failed"]
    assert serving.end() == 0


def test_bad_rows_are_told_and_kept(command: Command, tmp_path: Path) -> None:
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},,,,new\nb,x,,,,,new\nc,x,{DAY},,,,lost\n")
    map_file, rejects = text_file(tmp_path, MAP, "map.toml"), tmp_path / "rejects.ndjson"
    asked = (
        "import",
        str(file),
        "--project",
        "p",
        "--map",
        str(map_file),
        "--rejects",
        str(rejects),
    )
    strict = command(*asked, "--strict", "--json")
    assert strict.returncode == 1
    answer = json.loads(strict.stdout)
    assert (answer["jobs"], answer["rejected"], answer["position"]) == (0, 2, 0)
    assert "line 3: Column 'created' is empty" in strict.stderr
    done = command(*asked)
    assert done.returncode == 0
    assert done.stdout.startswith(
        "1 jobs and 1 events imported, 0 rows were there already, 2 were rejected;"
    )
    kept = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(one["line"], one["row"]) for one in kept] == [
        (3, "b,x,,,,,new"),
        (4, f"c,x,{DAY},,,,lost"),
    ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("import", "missing.csv"), "There is no file missing.csv."),
        (("import", "{file}", "--project", "p"), "Its columns are 'name', 'kind'"),
        (("import", "{file}", "--map", "{map}"), "A table names no project: say --project."),
        (("import", "{file}", "--map", "missing.toml"), "The map missing.toml cannot be read"),
        (("import", "{file}", "--map", "{file}"), "is no TOML"),
        (("import", "{file}", "--project", "p", "--map", "{map}", "--rejects", "{file}"), "The rejects would overwrite the file."),
        (("import", "{file}", "--project", ""), "A project is printable and has 1 to 512 bytes of UTF-8."),
        (("import", "{folder}", "--project", "p"), "cannot be read: Is a directory."),
        (("import", "{torn}", "--project", "p", "--map", "{map}", "--rejects", "{file}/x"), "The rejects cannot be written to"),
        (("export", "--output", "{file}/x"), "cannot be written"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(
    command: Command, tmp_path: Path, asked: tuple[str, ...], told: str
) -> None:
    names = {
        "file": str(text_file(tmp_path, HEADER)),
        "map": str(text_file(tmp_path, MAP, "map.toml")),
        "folder": str(tmp_path),
        "torn": str(text_file(tmp_path, HEADER + "a\n", "torn.csv")),
    }
    done = command(*(word.format(**names) for word in asked))
    assert done.returncode == 1
    assert done.stderr.startswith("jobledger: ")
    assert told in done.stderr
    assert done.stdout == ""


def test_a_ledger_moves_through_a_pipe(command: Command, tmp_path: Path, pod_map: Path) -> None:
    made = pods(tmp_path / "pods.csv", 300)
    command.answer(*words(made, pod_map))
    for what, name in (("log", "log.csv"), ("jobs", "jobs.ndjson"), ("jobs", "jobs.csv")):
        assert command("export", "--what", what, "--output", str(tmp_path / name)).returncode == 0
    first = command("export")
    assert first.returncode == 0
    assert first.stderr.strip() == f"{made.events} events exported."
    other = ("--data", str(tmp_path / "other"))
    moved = subprocess.run(
        [*COMMAND, "import", "-", *other, "--json"],
        input=first.stdout, capture_output=True, text=True, env=command.environment, check=True, timeout=240,
    )  # fmt: skip
    assert json.loads(moved.stdout)["events"] == made.events
    second = command("export", place=other)
    assert [unlike(line) for line in second.stdout.splitlines()] == [
        unlike(line) for line in first.stdout.splitlines()
    ]
    for name in ("log.csv", "jobs.ndjson", "jobs.csv"):
        again = command.answer("import", str(tmp_path / name), place=other)
        assert (again["events"], again["rejected"]) == (0, 0), name
        assert again["already"] == (made.events if name == "log.csv" else 300)


def unlike(line: str) -> dict[str, object]:
    """A line less what is each ledger's own."""
    found = json.loads(line)
    return {
        name: value for name, value in found.items() if name not in ("recorded_at", "source_id")
    }


def test_the_map_of_the_readme_reads_such_a_table(command: Command, tmp_path: Path) -> None:
    made = pods(tmp_path / "pods.csv", 50)
    text = README.read_text(encoding="utf-8").partition("```toml\nformat = ")[2].partition("```")[0]
    answer = command.answer(*words(made, text_file(tmp_path, f"format = {text}", "pods.toml")))
    assert (answer["jobs"], answer["events"], answer["rejected"]) == (50, made.events, 0)


def test_a_file_is_whole_or_not_there(command: Command, tmp_path: Path) -> None:
    target = tmp_path / "log.ndjson"
    done = command("export", "--output", str(target), place=("--data", str(tmp_path / "nowhere")))
    assert done.returncode == 1
    assert not target.exists()
    assert command("export", "--output", str(target)).returncode == 0
    assert target.read_bytes() == b""
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".log")] == []
