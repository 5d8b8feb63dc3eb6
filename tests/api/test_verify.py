"""`jobledger verify` and `jobledger replay` as processes: exit codes and answers that scripts build on.

Seen red by an edit of a read model's row, which the command must name."""

from __future__ import annotations

import json

import psycopg

from tests.fix_command import Command

SCOPES = ("--scope", "jobs:read", "--scope", "jobs:write")


def test_a_row_edited_by_hand_is_named_and_ends_with_1(command: Command) -> None:
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    jobs = [serving.create_job(made["key"]) for _ in range(3)]
    good = command.answer("verify", "--projections")
    assert good["good"]
    assert {one["name"] for one in good["projections"]} >= {"jobs", "job_states", "job_counts"}
    assert all(one["different"] == 0 for one in good["projections"])
    replayed = command.answer("replay", "--to", "2", "--project", "p")
    assert replayed["good"]
    assert {one["position"] for one in replayed["replayed"]} == {2}
    assert all(one["events_per_s"] >= 0 for one in replayed["replayed"])
    with psycopg.connect(command("dsn").stdout.strip(), autocommit=True) as connection:
        connection.execute(
            "UPDATE projections.jobs_v1 SET owner = 'Mallory' WHERE id = ANY(%s)",
            ([jobs[0]["id"], jobs[2]["id"]],),
        )
    for words in (("verify", "--projections"), ("replay",)):
        told = command(*words)
        assert told.returncode == 1
        assert all(f"  jobs: {jobs[nth]['id']}" in told.stdout.splitlines() for nth in (0, 2))
        assert jobs[1]["id"] not in told.stdout
    assert command("replay", "--to", "2", "--project", "q").returncode == 0
    assert command("replay", "--to", "99").returncode == 1
    assert serving.end() == 0


def test_the_log_is_followed_from_any_position(command: Command) -> None:
    serving = command.serve()
    made = command.answer("keys", "create", "--project", "p", *SCOPES)
    for _ in range(3):
        serving.create_job(made["key"])
    for words, first in ((("--from", "2"), 2), (("--after", "2"), 3), ((), 1)):
        told = command("tail", "--no-follow", "--json", *words)
        positions = [json.loads(line)["position"] for line in told.stdout.splitlines()]
        assert positions == list(range(first, 4))
    assert command("tail", "--from", "2", "--after", "2").returncode == 2
    assert serving.end() == 0
