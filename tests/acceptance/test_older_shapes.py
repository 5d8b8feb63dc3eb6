"""An older shape from end to end: a log that has events of every age in it is served, listed as of then, folded, rebuilt, replayed, exported, written
on, sealed and proved, and says in every dialect what the same log says that was written in today's shapes alone.

Invariants: no released shape differs from today's, so the older ones are made for this (tests/older_shapes.py); commands run in this process, where
the classes are changed. What is signed and proved are the stored bytes, whatever their shape. Seen red: a fold that reads a body without its lift."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.events import EVENTS
from tests import older_shapes
from tests.acceptance.test_auditor import script
from tests.fix_command import Command
from tests.fix_jobs import A
from tests.fix_log import eventually
from tests.fix_proof import Sealed
from tests.golden_log import GOLDEN, Asking, answers, asking, load, shown


@dataclass
class Scene:
    """The ledger, its server, and the command on it."""

    dsn: str
    asked: Asking
    command: Command

    def __call__(self, *words: str) -> str:
        done = self.command(*words, place=("--database-url", self.dsn))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def follows(self) -> None:
        def level() -> bool:
            ready = self.asked.answer("native", "/readyz").json()
            return ready["status"] == "ready" and not any(
                one["lag"] for one in ready["projections"].values()
            )

        eventually(level, "the read models follow")


@pytest.fixture(scope="module")
def scene(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as running:
        older_shapes.change(patch)
        with psycopg.connect(module_database, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute("TRUNCATE ledger.stored_events CASCADE")
        load(module_database, older_shapes.FOLDER)
        asked = running.enter_context(asking(module_database))
        command = Command(tmp_path_factory.mktemp("older") / "data", running)
        found = Scene(module_database, asked, command)
        found.follows()
        yield found


def test_every_shape_is_in_the_log() -> None:
    found: Counter[tuple[str, int]] = Counter()
    for line in (older_shapes.FOLDER / "log.jsonl").read_text().splitlines():
        row = json.loads(line)
        found[row["topic"], json.loads(row["state"]).get("class_version", 1)] += 1
    for topic, steps in older_shapes.CHANGES.items():
        # The golden log has a single report of items.
        last = 1 if topic == "job.items_reported" else len(steps) + 1
        assert all(found[topic, version] for version in range(1, last + 1)), topic
        assert EVENTS[topic].class_version == 1, "released: then it is in a golden log of its own"


def test_the_past_is_what_it_was_in_today_s_shapes(scene: Scene) -> None:
    told = answers(GOLDEN / "log_1")
    assert len(told) > 100
    for line in told:
        dialect, path = line.pop("dialect"), line.pop("path")
        assert shown(scene.asked.answer(dialect, path)) == line, path


def test_it_is_written_on(scene: Scene) -> None:
    """In today's shape, which names its version, on top of jobs of an older one."""
    client = scene.asked.server.client_of(A)
    url = f"/v1/projects/{A}/jobs"
    made = client.post(url, json={"type": "VirtualServer", "owner": "bob"})
    assert made.status_code == 201, made.text
    queued = client.get(url, params={"state": "Queued", "limit": 1}).json()["jobs"][0]["id"]
    for job in (made.json()["id"], queued):
        said = client.post(
            f"{url}/{job}/events",
            json={"events": [{"event": "started"}, {"event": "failed", "final": False}]},
        )
        assert said.status_code == 200, said.text
    with psycopg.connect(scene.dsn) as connection:
        rows = connection.execute(
            "SELECT topic, ledger.body(state) -> 'class_version' FROM ledger.stored_events ORDER BY notification_id DESC LIMIT 5"
        ).fetchall()
    assert Counter(rows) == {
        ("job.created", 3): 1,
        ("job.started", None): 2,
        ("job.failed", 2): 2,
    }
    scene.follows()
    test_the_past_is_what_it_was_in_today_s_shapes(scene)


def test_it_is_rebuilt_and_replayed(scene: Scene) -> None:
    for told in (
        json.loads(scene("rebuild", "--json"))["rebuilt"],
        json.loads(scene("replay", "--json"))["replayed"],
        json.loads(scene("replay", "--to", "60", "--json"))["replayed"],
    ):
        assert len(told) == 4
        assert all(one["different"] == 0 for one in told), told


def test_it_is_exported_in_today_s_words(scene: Scene) -> None:
    lines = [
        json.loads(line) for line in scene("export", "--what", "log", "-p", A).split("\n")[:-1]
    ]
    born = [one for one in lines if one["event"] == "job.created"]
    assert len(born) > 10
    assert all({"type", "owner"} <= one["fields"].keys() for one in born)
    assert not any(
        {"sort", "by", "retry", "share", "counts"} & one["fields"].keys() for one in lines
    )


def test_it_is_sealed_and_proved_as_it_is_stored(scene: Scene, tmp_path: Path) -> None:
    sealed = Sealed(scene.dsn, tmp_path / "notary")
    sealed.seal()
    scene.command.environment["LEDGER_NOTARY_DIR"] = str(sealed.folder)
    keys = tmp_path / "keys"
    keys.write_text("\n".join(sealed.vkeys()))
    told: dict[str, Any] = json.loads(scene("verify", "--full", "--key", str(keys), "--json"))
    assert told["good"]
    assert told["log"][0]["events"] >= 121
    lines = (older_shapes.FOLDER / "log.jsonl").read_text().splitlines()
    rows = [
        row for row in map(json.loads, lines) if row["project"] == A and "retry" in row["state"]
    ]
    row = rows[0]
    file = tmp_path / "job.proof.json"
    file.write_text(scene("prove", row["originator_id"], "--project", A))
    assert (
        json.loads(row["state"])["event"].items() <= _event(file, row["originator_version"]).items()
    )
    assert script(file, sealed.vkeys()[0]).stdout.startswith("proved: ")
    done = scene.command("verify", str(file), "--key", str(keys), place=())
    assert done.returncode == 0, done.stderr


def _event(file: Path, version: int) -> dict[str, Any]:
    [one] = [one for one in json.loads(file.read_text())["events"] if one["version"] == version]
    found: dict[str, Any] = json.loads(one["body"])["event"]
    return found
