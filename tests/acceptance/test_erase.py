"""Erasure as an operator does it: beside a running server, then nothing of the person in any table, answer, export, log or data file.

Invariants: the WAL keeps old bytes until it is recycled, as README says, and is left out; everything else in the folder is searched byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

from tests.fix_command import Command, Serving
from tests.fix_fullstory import over

CANARY = "ann.canary@example.org"
LISTS = (
    "/v1/projects/p/jobs",
    "/v1/projects/p/events",
    "/api/v2/jobs",
    "/projects/p/jobs",
    "/jobs",
)


def key_of(command: Command, name: str = "service") -> tuple[str, str]:
    made = command.answer(
        "keys",
        "create",
        "-p",
        "p",
        "--name",
        name,
        *("--scope", "jobs:read", "--scope", "jobs:write", "--scope", "jobs:cancel"),
    )
    return made["key"], made["key_id"]


def files_with(folder: Path, text: str) -> list[str]:
    """The files of the database but for the WAL, and of all else, in which the text stands."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "pg_wal" not in path.parts and text.encode() in path.read_bytes()
    ]


WORDS = (
    "erase",
    "-p",
    "p",
    "--subject",
    CANARY,
    "--by",
    "data protection",
    "--reason",
    "request 17",
)


def leave_traces(serving: Serving, hers: str, ours: str) -> tuple[str, str]:
    """Two jobs in which she stands in every way that a client has: the first is her own."""
    words: dict[str, object] = {
        "description": f"for {CANARY}",
        "detail": {"mail": [CANARY]},
        "request_id": CANARY,
    }
    job = serving.create_job(hers, "p", owner=CANARY, **words)["id"]
    other = serving.create_job(ours, detail={"cc": f"<{CANARY}>"})["id"]
    with serving.client(ours) as api:
        end = {"event": "canceled", "note": f"{CANARY} called"}
        assert api.post(f"/v1/projects/p/jobs/{job}/events", json=end).status_code == 200
        item = {"name": "job.noted", "properties": {"job": job, "note": CANARY}}
        taken = api.post("/v2/events/batch", json={"requests": [item]})
        assert taken.status_code == 200
        # Nothing is erased while it waits.
        assert over(api, taken.json()["job"]["id"])["imports"] == 1
    return job, other


def test_nothing_is_left_but_that_it_was_done(command: Command) -> None:
    serving = command.serve()
    hers, her_id = key_of(command, CANARY)
    ours, _ = key_of(command)
    job, other = leave_traces(serving, hers, ours)
    with serving.client(ours) as api:
        # Asked for twice, so that how the jobs are said is remembered.
        lists = [api.get(path, headers={"X-Version": "1.0"}).text for path in 2 * LISTS]
        assert all(CANARY in text for text in lists)
    refused = command(*WORDS)
    assert (refused.returncode, her_id in refused.stderr) == (1, True)
    command.answer("keys", "revoke", her_id)
    would = command.answer(*WORDS, "--dry-run")
    assert (would["jobs"], would["dry_run"], would["held"]) == (2, True, [])
    counsel = ("--by", "counsel", "--reason", "case 7")
    held = command.answer("hold", "place", "-p", "p", "--subject", CANARY, *counsel)
    stopped = command(*WORDS)
    assert (stopped.returncode, other in stopped.stdout) == (1, True)
    command.answer("hold", "release", held["hold_id"], *counsel)
    done = command.answer(*WORDS, "--scrub")
    assert (done["jobs"], done["held"], done["scrubbed"]) == (2, [], True)
    with serving.client(ours) as api:
        shown = api.get(f"/v1/projects/p/jobs/{job}").json()
        assert (shown["owner"], shown["detail"]) == ("[erased]", {"mail": ["[erased]"]})
        assert shown["state"] == "Canceled"
        for path in LISTS:
            assert CANARY not in api.get(path, headers={"X-Version": "1.0"}).text
    for form in ("log", "jobs"):
        exported = command("export", "--what", form)
        assert exported.returncode == 0, exported.stderr
        assert CANARY not in exported.stdout
    assert command("verify").returncode == 0
    assert serving.end() == 0
    assert CANARY not in serving.errors.read_text()
    assert files_with(command.data, CANARY) == []
    assert files_with(command.data, "request 17") != []


def test_what_is_due_is_erased_and_what_is_not_is_kept(command: Command) -> None:
    serving = command.serve()
    key, _ = key_of(command)
    jobs = [serving.create_job(key, owner="ann", type=kind) for kind in ("A", "B", "A")]
    with serving.client(key) as api:
        for job in jobs[:2]:
            assert (
                api.post(
                    f"/v1/projects/p/jobs/{job['id']}/events", json={"event": "canceled"}
                ).status_code
                == 200
            )
    rule = (
        "retention",
        "set",
        "-p",
        "p",
        "--state",
        "Canceled",
        "--by",
        "dpo",
        "--reason",
        "policy 3",
    )
    command.answer(*rule, "--days", "3650")
    assert command.answer(*rule, "--days", "1", "--type", "A")["type"] == "A"
    assert [one["jobs"] for one in command.answer("retention", "apply")["applied"]] == [0, 0]
    with psycopg.connect(command("dsn").stdout.strip(), autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "UPDATE projections.jobs SET ended_at = ended_at - interval '2 days' WHERE ended_at IS NOT NULL"
        )
    assert [
        one["jobs"] for one in command.answer("retention", "apply", "--dry-run")["applied"]
    ] == [0, 1]
    counsel = ("--by", "counsel", "--reason", "case 7")
    hold = command.answer("hold", "place", "-p", "p", "--type", "A", *counsel)["hold_id"]
    stopped = command("retention", "apply", "--json")
    assert (stopped.returncode, json.loads(stopped.stdout)["applied"][1]["jobs"]) == (1, 0)
    assert json.loads(stopped.stdout)["applied"][1]["held"] == [jobs[0]["id"]]
    command.answer("hold", "release", hold, *counsel)
    applied = command.answer("retention", "apply")["applied"]
    assert [(one["type"], one["jobs"]) for one in applied] == [("", 0), ("A", 1)]
    with serving.client(key) as api:
        owners = [api.get(f"/v1/projects/p/jobs/{job['id']}").json()["owner"] for job in jobs]
    assert owners == ["[erased]", "ann", "ann"]
    assert [one["jobs"] for one in command.answer("retention", "apply")["applied"]] == [0, 0]
    assert command("retention", "drop", "-p", "p", "--state", "Canceled").returncode == 0
    assert [one["type"] for one in command.answer("retention", "list")["rules"]] == ["A"]
