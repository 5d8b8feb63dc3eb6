"""FullStory's own client for Node, unmodified, against the running server: batches created, refused for a while, polled, and asked after.

Invariants: the client is installed once into pytest's cache, held to the committed lock's hash; without Node, npm or a registry the tests are skipped
and say so. Units: deadlines in seconds; the client's intervals in milliseconds."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from ledger import settings
from tests.fix_fullstory import BATCH, Json, item, job, life, listed, over, taken
from tests.fix_server import LiveServer

CLIENT = Path(__file__).parent / "fullstory_client"
INSTALL_S, DEADLINE_S = 90, 60
# What npm says when it reaches no registry, or one that has not got the package: that is not the client's fault, nor ours.
ABSENT = (
    *("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "E404", "E403"),
    *("ERR_SOCKET_TIMEOUT", "ENETUNREACH", "EHOSTUNREACH", "E500", "E502", "E503", "E504"),
)


@pytest.fixture(scope="module")
def installed(pytestconfig: pytest.Config) -> Path:
    """The folder that the client is installed in."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} on this machine")
    texts = [path.read_bytes() for path in sorted(CLIENT.iterdir())]
    folder = pytestconfig.cache.mkdir("fullstory")
    home = folder / hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]
    if not home.exists():
        _install(folder, home)
    return home


def _install(folder: Path, home: Path) -> None:
    """Install beside, then put in place: another process of the tests may be doing the same."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        made = Path(shutil.copytree(CLIENT, Path(place) / "client"))
        words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        try:
            done = subprocess.run(
                words, cwd=made, capture_output=True, text=True, timeout=INSTALL_S, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not fetch the client within {INSTALL_S} s")
        if done.returncode != 0 and any(word in done.stderr for word in ABSENT):
            pytest.skip(f"npm reaches no registry with the client: {done.stderr.strip()[-300:]}")
        assert done.returncode == 0, done.stderr
        try:
            made.rename(home)
        except OSError:
            assert home.exists(), "only another process's copy may stand in the way"


class Driven:
    """The client at work on one batch. Iterated, it tells what its listeners hear."""

    def __init__(self, home: Path, server: LiveServer, key: str, items: Any, **more: Any) -> None:
        environment = {**os.environ, "NODE_ENV": "test", "FS_API_HOST": server.url}
        self._process = subprocess.Popen(
            ["node", "drive.js"],
            cwd=home,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        options = {"pollInterval": 50, "maxRetry": 5}
        asked = {"apiKey": key, "body": {"requests": items}, "options": options, **more}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked))
        self._process.stdin.close()

    def __iter__(self) -> Iterator[Json]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield json.loads(line)

    def end(self) -> None:
        self._process.kill()
        self._process.wait(DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def driven(installed: Path, live_server: LiveServer) -> Iterator[Any]:
    """Starts the client on a batch, with a key of project demo."""
    started: list[Driven] = []

    def start(items: Any, key: str | None = None, **more: Any) -> Driven:
        word = live_server.issue("demo", name="node").key if key is None else key
        started.append(Driven(installed, live_server, word, items, **more))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_a_batch_is_completed_and_its_imports_read(live_server: LiveServer, driven: Any) -> None:
    items = [one for nth in range(600) for one in life(f"vm {nth}", "started")]
    items[0]["schema"] = {"properties": {"type": "str"}}
    heard = list(driven(items, includeSchema=True))
    assert heard[0]["heard"] == "created"
    assert heard[0]["job"]["status"] == "PROCESSING"
    assert {one["heard"] for one in heard[1:-1]} <= {"processing"}
    done = heard[-1]
    assert (done["heard"], done["job"]["status"], done["failures"]) == ("done", "COMPLETED", [])
    assert done["job"]["id"].endswith("==")
    assert done["job"]["finished"] >= done["job"]["created"] == heard[0]["job"]["created"]
    assert len(done["imports"]) == 1_200, "both pages"
    assert [one["properties"]["job"] for one in done["imports"][::2]] == [
        f"vm {nth}" for nth in range(600)
    ]
    assert done["imports"][0]["schema"] == items[0]["schema"]
    assert job(live_server.client, "demo", "vm 599")["state"] == "Processing"


def test_a_partial_failure_is_failed_and_its_errors_read(driven: Any) -> None:
    items = [*life("a", "started"), item("started", "nobody"), item("created", "b")]
    *_, done = driven(items)
    assert (done["heard"], done["job"]["status"], done["imports"]) == ("done", "FAILED", [])
    assert [(one["code"], one["event"]) for one in done["failures"]] == [
        ("resource_not_found", items[2]),
        ("required_field", items[3]),
    ]
    assert done["failures"][1]["message"] == "properties.type is required"


def test_a_project_with_too_much_waiting_is_asked_to_come_back(
    live_server: LiveServer, driven: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "BATCHES_WAITING_MAX", 0)
    monkeypatch.setattr(settings, "BATCH_RETRY_AFTER_S", 1)
    heard = []
    for one in driven(life("a")):
        heard.append(one)
        if one["heard"] == "error":
            assert (one["name"], one["status"]) == ("FS_RATE_LIMITED", 429)
            assert one["payload"]["code"] == "too_many_requests"
            monkeypatch.setattr(settings, "BATCHES_WAITING_MAX", 200)
    told = [one["heard"] for one in heard if one["heard"] != "processing"]
    # It may have come back before the limit was lifted here.
    assert (set(told[:-2]), told[-2:]) == ({"error"}, ["created", "done"])
    assert job(live_server.client, "demo", "a")["state"] == "Created"


def test_a_wrong_key_is_not_retried(driven: Any) -> None:
    heard = list(driven(life("a"), "jl_wrong"))
    assert [one["heard"] for one in heard] == ["error", "abort"]
    assert (heard[0]["status"], heard[0]["payload"]["code"]) == (401, "unauthorized")


def test_a_large_batch_goes_through(live_server: LiveServer, driven: Any) -> None:
    """Some 10 MB, chunked and without a length: more than any other request may have."""
    note = "n" * 2_000
    items = [*life("a"), *(item("noted", "a", note=note) for _ in range(4_999))]
    *_, done = driven(items)
    assert (done["heard"], done["job"]["status"]) == ("done", "COMPLETED")
    assert len(done["imports"]) == 5_000
    assert job(live_server.client, "demo", "a")["version"] == 5_000


def test_the_quotas_hold_for_batches_and_items(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: httpx.Client = live_server.client
    monkeypatch.setattr(settings, "BATCH_ITEMS_WAITING_MAX", 10)
    body = json.dumps({"requests": life("a", *["noted"] * 10)})
    refused = client.post(BATCH, content=body)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["retry-after"] == str(settings.BATCH_RETRY_AFTER_S)
    monkeypatch.setattr(settings, "BATCH_ITEMS_WAITING_MAX", 11)
    batch = taken(client, json.loads(body)["requests"])
    assert over(client, batch)["imports"] == 11, "and what is done no longer counts"
    assert over(client, taken(client, json.loads(body)["requests"][1:]))["imports"] == 10
    assert listed(client, batch, "errors") == []
