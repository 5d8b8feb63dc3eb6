"""What an auditor is handed: a proof and a script that needs nothing of ours, and a whole ledger's way from the first event to a renewed log."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import psycopg

from tests.fix_command import Command, Serving
from tests.fix_embedded import wait_until

SCRIPT = Path(__file__).parents[2] / "scripts" / "auditor" / "verify_proof.py"
SCOPES = ("--scope", "jobs:read", "--scope", "jobs:write")


def script(*words: object) -> subprocess.CompletedProcess[str]:
    # -I: neither this folder nor our installation's environment helps it.
    return subprocess.run(
        [sys.executable, "-I", SCRIPT, *map(str, words)], capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip


def wait_for_checkpoint(serving: Serving, *lines: str) -> str:
    """The note of a checkpoint that has these lines, as soon as it is served."""
    with httpx.Client(base_url=str(serving.url), timeout=60) as anybody:

        def note() -> str:
            return anybody.get("/log/checkpoint").text

        wait_until(lambda: set(lines) <= set(note().split("\n\n")[0].split("\n")))
        return note()


def test_the_script_is_short_and_needs_nothing_of_ours() -> None:
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= 150
    roots = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add(str(node.module).split(".")[0])
    assert roots - set(sys.stdlib_module_names) == {"cryptography"}


def test_an_auditor_checks_a_ledger_and_a_proof(command: Command, tmp_path: Path) -> None:
    command.environment["LEDGER_CHECKPOINT_INTERVAL_S"] = "0.05"
    serving = command.serve()
    key = command.answer("keys", "create", "--project", "p", *SCOPES)["key"]
    job = serving.create_job(key)
    with serving.client(key) as api:
        for event in ("queued", "started", "succeeded"):
            api.post(f"/v1/projects/p/jobs/{job['id']}/events", json={"event": event})
    signed = wait_for_checkpoint(serving, "4")
    kept, keys = tmp_path / "kept.checkpoint", tmp_path / "keys.txt"
    kept.write_text(command("checkpoint", "show").stdout)
    assert kept.read_text() == signed
    keys.write_text(command("checkpoint", "keys").stdout)
    (vkey,) = keys.read_text().split()

    assert command("prove", job["id"], "--project", "q").returncode == 1
    proved = command("prove", job["id"])
    assert proved.returncode == 0, proved.stderr
    file = tmp_path / "job.proof.json"
    file.write_text(proved.stdout)
    assert script(file, vkey).stdout.startswith("proved: 4 events")
    assert command("verify", str(file), "--key", str(keys), place=()).returncode == 0
    assert command("verify", str(file), place=()).returncode == 1, "no key, no proof"
    document = json.loads(proved.stdout)
    document["events"][2]["topic"] = "job.failed"
    file.write_text(json.dumps(document))
    assert script(file, vkey).returncode == 1
    assert command("verify", str(file), "--key", vkey, place=()).returncode == 1
    file.write_text("[]")
    assert script(file, vkey).returncode == 1
    assert script(file).returncode == 2
    with serving.client(key) as api:
        file.write_text(api.get("/v1/projects/p/events/3/receipt").text)
    check_receipt(command, file, vkey, job["id"])
    serving.create_job(key)
    for words in ((), ("--full",)):
        done = command("verify", "--since", str(kept), "--key", str(keys), *words)
        assert done.returncode == 0, done.stdout + done.stderr
    with psycopg.connect(command("dsn").stdout.strip(), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ledger.stored_events SET topic = 'x' WHERE notification_id = 2")
    done = command("verify", "--since", str(kept), "--key", str(keys), "--full", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert not told["good"]
    assert any("position 2" in fault for fault in told["log"][0]["faults"])
    assert serving.end() == 0


def check_receipt(command: Command, file: Path, vkey: str, job_id: str) -> None:
    """It proves the third event, and nothing once it was altered."""
    received = command.answer("verify", str(file), "--key", vkey, place=())["proof"]
    assert [(one["job"], one["last_position"]) for one in received] == [(job_id, 3)]
    file.write_text(file.read_text().replace("index 2", "index 1"))
    assert command("verify", str(file), "--key", vkey, place=()).returncode == 1


def test_the_way_on_after_an_older_copy_was_restored(command: Command, tmp_path: Path) -> None:
    command.environment["LEDGER_CHECKPOINT_INTERVAL_S"] = "0.05"
    command.environment["LEDGER_LOG_NAME"] = "ledger.example.com/log"
    serving = command.serve()
    key = command.answer("keys", "create", "--project", "p", *SCOPES)["key"]
    for _ in range(3):
        serving.create_job(key)
    wait_for_checkpoint(serving, "3")
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(command("checkpoint", "show").stdout)
    with psycopg.connect(command("dsn").stdout.strip(), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM ledger.stored_events WHERE notification_id = 3")
        connection.execute("UPDATE ledger.head SET position = 2")
        wait_until(lambda: connection.execute("SELECT FROM proof.stopped").fetchone() is not None)
    assert command("verify").returncode == 1
    renewed = command.answer("checkpoint", "renew", "--reason", "restored the backup of Monday")
    assert renewed == {"epoch": 2, "origin": "ledger.example.com/log/2"}
    wait_for_checkpoint(serving, renewed["origin"], "2")
    logs = command.answer("checkpoint", "logs")["logs"]
    assert [one["origin"] for one in logs] == ["ledger.example.com/log", renewed["origin"]]
    assert "\nrestored the backup of Monday\n" in logs[1]["statement"]
    assert command("verify", "--since", str(kept)).returncode == 1, "the old one is not forgotten"
    assert command("checkpoint", "add-key").stdout == "key-2\n"
    serving.create_job(key)
    signed = wait_for_checkpoint(serving, renewed["origin"], "3")
    assert signed.count("— ledger.example.com/log/2 ") == 2
    assert len(command("checkpoint", "keys").stdout.split()) == 4
    assert command("checkpoint", "retire-key", "key-1").returncode == 0
    assert serving.end() == 0
