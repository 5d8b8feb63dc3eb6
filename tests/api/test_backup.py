"""Backup and restore: what was answered is there again, what is not what was backed up is never served, and what is older than what was signed
goes on under another name only. Seen red: a restore that does not ask the notary's memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psycopg
import pytest

from ledger.notary import Notary
from tests.fix_command import Command, commanding
from tests.fix_embedded import wait_until

SCOPES = ("--scope", "jobs:read", "--scope", "jobs:write")


@pytest.fixture(scope="module")
def backed_up(
    made_cluster: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str, dict[str, object]]:
    """A backup with its secret, a key, and a job as it was then. The ledger served meanwhile and went on afterwards."""
    folder = tmp_path_factory.mktemp("backed")
    shutil.copytree(made_cluster, folder / "d")
    with commanding(folder / "d") as command:
        command.environment["LEDGER_CHECKPOINT_INTERVAL_S"] = "0.1"
        serving = command.serve()
        key = command.answer("keys", "create", "--project", "p", *SCOPES)["key"]
        job = serving.create_job(key, object="kept")
        signed(command, job["position"])
        told = command.answer("backup", str(folder / "b"), "--with-secret")
        assert told["position"] == job["position"]
        signed(command, serving.create_job(key, object="afterwards")["position"])
        shutil.copytree(folder / "d" / "notary", folder / "b" / "kept elsewhere")
        assert command("backup", str(folder / "b")).returncode == 1, "it is there already"
        assert serving.end() == 0
    return folder / "b", key, job


def signed(command: Command, position: int) -> None:
    """Wait until the notary has signed so much."""

    def is_signed() -> bool:
        memory = Notary(command.data / "notary").memory()
        return memory is not None and memory.last.size >= position

    wait_until(is_signed)


def restored(command: Command, folder: Path) -> str:
    """What a restore that must fail says; nothing is left that could be served."""
    done = command("restore", str(folder))
    assert done.returncode == 1, done.stdout
    assert not (command.data / "postgres").exists()
    assert not (command.data / "restoring").exists()
    return done.stderr


def copied(backup: Path, tmp_path: Path) -> Path:
    """A backup of a test's own, to be spoilt."""
    shutil.copytree(backup, tmp_path / "copy")
    return tmp_path / "copy"


def test_what_was_answered_is_there_again(
    backed_up: tuple[Path, str, dict[str, object]], tmp_path: Path
) -> None:
    backup, key, job = backed_up
    with commanding(tmp_path / "new") as command:
        told = command.answer("restore", str(backup))
        assert told["position"] == told["backed_up"] == job["position"]
        serving = command.serve()
        with serving.client(key) as api:
            found = api.get("/v1/projects/p/jobs").json()["jobs"]
            assert [one["id"] for one in found] == [job["id"]]
            assert api.get(f"/v1/projects/p/jobs/{job['id']}").json() == job
        assert serving.create_job(key)["position"] == told["position"] + 1
        assert "already" in command("restore", str(backup)).stderr
        # Without its notary's memory nothing is signed, and an operator is told the way on.
        wait_until(lambda: "memory is not in" in command("doctor").stdout)
        assert "checkpoint renew" in command("doctor").stdout


def test_a_backup_that_is_older_than_what_was_signed(
    backed_up: tuple[Path, str, dict[str, object]], tmp_path: Path
) -> None:
    """It is refused, and goes on under another name when somebody says why."""
    backup, key, _ = backed_up
    with commanding(tmp_path / "new") as command:
        shutil.copytree(backup / "kept elsewhere", command.data / "notary")
        kept = Notary(command.data / "notary").memory()
        assert kept is not None
        told = restored(command, backup)
        assert f"{kept.last.size} events were signed" in told
        assert "--set-back" in told
        assert Notary(command.data / "notary").memory() == kept
        again = command.answer("restore", str(backup), "--set-back", "the disk was lost")
        assert again["origin"] == f"{kept.last.origin}/2"
        begun = Notary(command.data / "notary").memory()
        assert begun is not None
        assert str(kept.last) in begun.statement
        assert "the disk was lost" in begun.statement
        command.environment["LEDGER_CHECKPOINT_INTERVAL_S"] = "0.1"
        serving = command.serve()
        signed(command, serving.create_job(key)["position"])
        assert command("verify").returncode == 0


def test_a_file_that_was_changed_is_found(
    backed_up: tuple[Path, str, dict[str, object]], tmp_path: Path
) -> None:
    backup = copied(backed_up[0], tmp_path)
    with (backup / "postgres" / "PG_VERSION").open("a") as file:
        file.write(" ")
    with commanding(tmp_path / "new") as command:
        assert "pg_verifybackup" in restored(command, backup)


def test_another_log_than_was_backed_up_is_not_served(
    backed_up: tuple[Path, str, dict[str, object]], tmp_path: Path
) -> None:
    backup = copied(backed_up[0], tmp_path)
    manifest = json.loads((backup / "ledger.json").read_text())
    for spoilt in ({"digest": "00" * 32}, {"position": manifest["position"] + 1}):
        (backup / "ledger.json").write_text(json.dumps({**manifest, **spoilt}))
        with commanding(tmp_path / "new") as command:
            assert "is not the one that was backed up" in restored(command, backup)


def test_half_a_backup_is_none(tmp_path: Path) -> None:
    with commanding(tmp_path / "new") as command:
        assert "holds no whole backup" in restored(command, tmp_path)


def test_a_database_of_ones_own_is_left_to_its_own_tools(database: str, command: Command) -> None:
    command.environment["LEDGER_DATABASE_URL"] = database
    for words in (("backup", str(command.data / "b")), ("restore", str(command.data))):
        done = command(*words)
        assert done.returncode == 1
        assert "pg_basebackup" in done.stderr


def test_the_digest_is_of_every_column_and_every_event(database: str) -> None:
    import asyncio
    from uuid import uuid4

    from api.backup import Unverified, digest
    from ledger.committer import Committer
    from tests.writes import creation, read_log, write

    async def fill() -> None:
        async with Committer(database) as committer:
            for _ in range(5):
                await committer.commit(write(uuid4(), creation()))

    asyncio.run(fill())
    assert len(asyncio.run(read_log(database))) == 5
    with psycopg.connect(database, autocommit=True) as owner:
        honest = digest(owner, 5)
        assert digest(owner, 5) == honest != digest(owner, 4)
        columns = [
            row[0]
            for row in owner.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'ledger.stored_events'::regclass AND attnum > 0 AND atttypid = 'text'::regtype"
            )
        ]
        assert len(columns) >= 3
        for column in columns:
            with owner.transaction(force_rollback=True):
                owner.execute("SET LOCAL session_replication_role = replica")
                owner.execute(
                    f"UPDATE ledger.stored_events SET {column} = 'x' WHERE notification_id = 3".encode()
                )
                assert digest(owner, 5) != honest
        with owner.transaction(force_rollback=True):
            owner.execute("SET LOCAL session_replication_role = replica")
            owner.execute("DELETE FROM ledger.stored_events WHERE notification_id = 3")
            with pytest.raises(Unverified, match="4 events"):
                digest(owner, 5)


def test_a_backup_is_ours_alone(backed_up: tuple[Path, str, dict[str, object]]) -> None:
    assert backed_up[0].stat().st_mode & 0o077 == 0
