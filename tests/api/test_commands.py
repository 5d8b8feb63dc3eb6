"""The commands on a real ledger, each as a process of its own: what scripts build on."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from api.keys import parse
from api.place import Where, opened
from api.secret import read
from ledger.migrate import migrations
from projections import PROJECTIONS
from projections.position import positions
from tests.fix_command import Command, commanding
from tests.fix_embedded import wait_until

SCOPES = ("--scope", "jobs:read", "--scope", "jobs:write")


def test_keys_are_made_used_and_revoked_while_it_serves(command: Command) -> None:
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES, "--name", "Anna")
    assert set(made) >= {"key", "key_id", "secret"}
    job = serving.create_job(made["key"])
    assert job["owner"] == "Anna"
    listed = command.answer("keys", "list")["keys"]
    assert [key["key_id"] for key in listed] == [made["key_id"]]
    assert made["key"] not in json.dumps(listed)
    revoked = command.answer("keys", "revoke", made["key_id"])
    assert revoked["revoked_at"]
    with serving.client(made["key"]) as api:
        # How soon at the latest is tests/api/test_rotation.py's, by a clock of its own.
        wait_until(lambda: api.get("/v1/projects/p/jobs").status_code == 401)
    assert command.postgres() is not None, "the commands left the database to the server"


def test_keys_are_made_without_a_server(tmp_path: Path) -> None:
    with commanding(tmp_path / "new") as command:
        made = command.answer("keys", "create", "--project", "p", *SCOPES, "--expires-in-days", "2")
        assert command.postgres() is None
        assert parse(made["key"], read(command.data / "secret")) == made["key_id"]
        assert made["secret"] is None
        serving = command.serve()
        serving.create_job(made["key"])
        assert serving.end() == 0


def test_signing_keys(command: Command) -> None:
    made = command.answer("keys", "create", "--project", "p", "--scope", "jobs:read", "--signing")
    assert made["key"] == made["key_id"]
    assert len(made["key"]) == 16
    assert len(made["secret"]) >= 32
    assert made["bearer"].startswith(f"jl_{made['key_id']}_")


def test_a_key_shown_to_people(command: Command) -> None:
    done = command("keys", "create", "--project", "p", *SCOPES)
    fields = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert fields["key"].startswith("jl_")
    assert fields["scopes"] == "jobs:read jobs:write"
    assert "cannot be shown again" in done.stderr
    assert fields["key"] not in done.stderr


def test_dsn_is_for_a_running_database(command: Command) -> None:
    idle = command("dsn")
    assert (idle.returncode, idle.stdout) == (1, "")
    assert "jobledger serve" in idle.stderr
    assert command.postgres() is None
    serving = command.serve()
    with psycopg.connect(command("dsn").stdout.strip(), autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM ledger.migrations").fetchone() == (
            len(migrations()),
        )
    assert serving.end() == 0


def test_status(command: Command) -> None:
    idle = command.answer("status")
    assert idle["position"] == 0
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    serving.create_job(made["key"])
    # Whoever creates a job waits for no read model of the past.
    wait_until(
        lambda: not any(one["lag"] for one in command.answer("status")["projections"].values())
    )
    told = command.answer("status")
    assert told["position"] == 1
    assert set(told["projections"]) >= {"jobs", "job_states", "job_counts"}
    assert all(one == {"position": 1, "lag": 0} for one in told["projections"].values())
    assert "log\t1" in command("status").stdout


def test_jobs(command: Command) -> None:
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES, "--name", "Anna")
    jobs = [
        serving.create_job(made["key"], command=name) for name in ("Create", "Delete", "Create")
    ]
    words = [
        "jobs",
        "list",
        "--project",
        "p",
        "--command",
        "Create",
        "--sort",
        "number",
        "--limit",
        "1",
    ]
    page = command.answer(*words, "--total")
    assert [job["id"] for job in page["jobs"]] == [jobs[0]["id"]]
    assert page["total"] == 2
    after = command.answer(*words, "--cursor", page["next"])
    assert [job["id"] for job in after["jobs"]] == [jobs[2]["id"]]
    assert after["next"] is None
    both = command.answer(
        "jobs", "list", "--project", "p", "--command", "Create", "--command", "Delete"
    )
    assert len(both["jobs"]) == 3
    assert command.answer("jobs", "list", "--project", "q")["jobs"] == []
    lines = command("jobs", "list", "--project", "p").stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("number\tstate\t")


def test_one_job(command: Command) -> None:
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    job = serving.create_job(made["key"], note="\x1b[2J\nx")
    with serving.client(made["key"]) as api:
        served = api.get(f"/v1/projects/p/jobs/{job['id']}").json()
        api.post(f"/v1/projects/p/jobs/{job['id']}/events", json={"event": "queued"})
    assert command.answer("jobs", "show", str(job["id"]), "--project", "p")["state"] == "Queued"
    then = ("--as-of", str(served["position"]))
    for name in (str(job["number"]), str(job["id"])):
        assert command.answer("jobs", "show", name, "--project", "p", *then) == served
    told = command.answer("jobs", "history", name, "--project", "p", *then)
    assert told["history"] == served["history"]
    listed = command.answer("jobs", "list", "--project", "p", "--state", "Created", *then)
    assert listed["jobs"] == [served]
    assert command.answer("jobs", "list", "--project", "p", "--as-of", "0")["jobs"] == []
    ahead = command("jobs", "list", "--project", "p", "--as-of", "99")
    assert (ahead.returncode, ahead.stdout) == (1, "")
    assert command("jobs", "show", name, "--project", "p", "--as-of-kind", "odd").returncode == 1
    shown = command("jobs", "history", name, "--project", "p").stdout
    assert "\x1b" not in shown
    assert r"\x1b[2J\nx" in shown
    elsewhere = command("jobs", "show", name, "--project", "q")
    assert (elsewhere.returncode, elsewhere.stdout) == (1, "")
    assert command("jobs", "show", "nonsense", "--project", "p").returncode == 2


def test_tail(command: Command) -> None:
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    other = command.answer("keys", "create", "--project", "q", *SCOPES)
    serving.create_job(made["key"])
    serving.create_job(other["key"], project="q")
    following = command.start("tail", "--after", "0", "--project", "p", "--json")
    assert following.process.stdout is not None
    assert json.loads(following.process.stdout.readline())["position"] == 1
    for position in (3, 4):
        serving.create_job(made["key"])
        assert json.loads(following.process.stdout.readline())["position"] == position
    assert following.end(signal.SIGINT) == 0, following.errors.read_text()
    assert following.errors.read_text() == ""
    whole = command("tail", "--after", "0", "--no-follow", "--json").stdout.splitlines()
    assert [json.loads(line)["position"] for line in whole] == [1, 2, 3, 4]
    lines = command("tail", "--no-follow").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4"]
    assert serving.end() == 0


def test_migrate(tmp_path: Path) -> None:
    with commanding(tmp_path / "new") as command:
        assert command.answer("migrate")["applied"] == [
            migration.name for migration in migrations()
        ]
        assert command.answer("migrate")["applied"] == []
        assert "Nothing to do" in command("migrate").stdout


def test_rebuild(command: Command) -> None:
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    for _ in range(3):
        serving.create_job(made["key"])
    rebuilt = command.answer("rebuild")["rebuilt"]
    assert {one["name"] for one in rebuilt} >= {"jobs", "job_states", "job_counts"}
    assert [one["name"] for one in command.answer("rebuild", "jobs")["rebuilt"]] == ["jobs"]
    assert len(command.answer("jobs", "list", "--project", "p")["jobs"]) == 3
    assert command("rebuild", "nonsense").returncode in (1, 2)


def test_a_command_that_is_ended_stops_the_database_it_started(command: Command) -> None:
    following = command.start("tail", "--after", "0", "--json")
    wait_until(lambda: command.postgres() is not None)
    assert following.end(signal.SIGTERM) in (0, 128 + signal.SIGTERM)
    assert command.postgres() is None


def test_jobs_of_a_ledger_that_was_never_served(command: Command) -> None:
    command.answer("keys", "create", "--project", "p", *SCOPES)
    assert command.answer("jobs", "list", "--project", "p", "--total") == {
        "jobs": [],
        "next": None,
        "total": 0,
    }
    assert command.postgres() is None


def test_jobs_that_no_server_has_folded_yet(command: Command) -> None:
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    serving.create_job(made["key"])
    assert serving.end() == 0
    # As if the projections had never run.
    with opened(Where(command.data, None, None)) as place:
        with place.owner() as owner:
            for one in PROJECTIONS:
                owner.execute(
                    SQL("DROP TABLE projections.{} CASCADE").format(Identifier(one.table))
                )
            owner.execute("TRUNCATE projections.live, projections.notification_tracking")
        assert all(one.lag == 1 for one in place.asked(positions).values())
    assert len(command.answer("jobs", "list", "--project", "p")["jobs"]) == 1
    assert all(one["lag"] == 0 for one in command.answer("status")["projections"].values())


def test_a_read_model_that_was_changed_by_hand_is_told_and_mended(command: Command) -> None:
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    job = serving.create_job(made["key"])
    with psycopg.connect(command("dsn").stdout.strip(), autocommit=True) as connection:
        connection.execute("UPDATE projections.jobs_v1 SET owner = 'Mallory'")
    told = command("rebuild", "jobs")
    assert told.returncode == 0
    assert f"1 were served otherwise and now are as the log has them: {job['id']}" in told.stdout
    assert (
        command.answer("jobs", "show", str(job["number"]), "--project", "p")["owner"]
        == job["owner"]
    )
