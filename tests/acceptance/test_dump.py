"""A dump by PostgreSQL's own tools, restored into another database, is the same ledger: it says the same, is proved by the same checkpoints, goes on.

Invariants: what an operator with a PostgreSQL of his own does is done here, by the same programs. Seen red with a dump without its grants."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx2 as httpx

from ledger import embedded
from ledger.cluster import server_environment
from tests.fix_command import DEADLINE_S, Command, Serving, commanding
from tests.fix_embedded import wait_until

ASKED = (
    "/v1/projects/p/jobs?count=exact&limit=50",
    "/v1/projects/p/jobs?state=Processing",
    "/v1/projects/p/events?limit=100",
    "/log/checkpoint",
)
_KEY = ("keys", "create", "--project", "p", "--scope", "jobs:write", "--scope", "jobs:read")


def carry(dsn: str, copy: str, file: Path) -> None:
    """Dump the one and restore it into the other."""
    programs = embedded.default_bin_dir()
    for words in (
        ("pg_dump", "-f", str(file), "-d", dsn),
        ("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file), "-d", copy),
    ):
        program, *given = words
        subprocess.run(
            [str(programs / program), *given],
            check=True,
            capture_output=True,
            env=server_environment(),
            timeout=DEADLINE_S,
        )


def told(serving: Serving, key: str) -> dict[str, str]:
    """What it says to each question."""
    with serving.client(key) as client:
        answers = {path: client.get(path) for path in ASKED}
    assert {answer.status_code for answer in answers.values()} == {200}, answers
    return {path: answer.text for path, answer in answers.items()}


def signed(serving: Serving, size: int) -> bool:
    """Whether a checkpoint of so many events is shown. Its second line is how many."""
    answer = httpx.get(f"{serving.url}/log/checkpoint")
    return answer.status_code == 200 and answer.text.splitlines()[1] == str(size)


def test_a_restored_dump_is_the_same_ledger(database: str, bare: str, tmp_path: Path) -> None:
    with commanding(tmp_path / "ledger") as command:
        command.data.mkdir()
        command.environment["LEDGER_CHECKPOINT_INTERVAL_S"] = "0.1"
        command.environment["LEDGER_DATABASE_URL"] = database
        serving = command.serve()
        place = ["--data", str(command.data)]
        key = command.answer(*_KEY, "--name", "n", place=place)["key"]
        jobs = [serving.create_job(key, detail={"nth": nth}) for nth in range(5)]
        with serving.client(key) as client:
            events = f"/v1/projects/p/jobs/{jobs[0]['id']}/events"
            assert client.post(events, json={"event": "started"}).status_code == 200
        wait_until(lambda: signed(serving, 6))
        before = told(serving, key)
        assert serving.end() == 0

        carry(database, bare, tmp_path / "dump.sql")
        command.environment["LEDGER_DATABASE_URL"] = bare
        assert_whole(command, 6)
        serving = command.serve()
        assert told(serving, key) == before
        # Numbers that were drawn and not used stay gaps.
        assert serving.create_job(key)["number"] > 5
        wait_until(lambda: signed(serving, 7))
        assert serving.end() == 0
        assert_whole(command, 7)


def assert_whole(command: Command, size: int) -> None:
    """`doctor` and `verify` find nothing."""
    doctor = command("doctor")
    assert doctor.returncode == 0, doctor.stdout
    verified = command("verify")
    assert verified.returncode == 0, verified.stdout
    assert f"{size} events read" in verified.stdout
