"""Time travel is immutable: the past of every golden log is told byte for byte as the version told it that wrote the log; today's read models
agree with it, and today's code still reads every shape of event in it.

Seen red: an interval that ends an event too early (`position < P`), and a dialect that counts back from now instead of from then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.events import EVENTS
from tests.fix_command import DEADLINE_S
from tests.fix_log import eventually
from tests.golden_log import GOLDEN, QUESTIONS, Asking, answers, asking, load, shown

FOLDERS = sorted(GOLDEN.glob("log_*"))


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture(scope="module")
def asked(folder: Path, module_database: str) -> Iterator[Asking]:
    with psycopg.connect(module_database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("TRUNCATE ledger.stored_events CASCADE")
    load(module_database, folder)
    with asking(module_database) as found:
        follows(found)
        yield found


def follows(asked: Asking) -> None:
    """Wait until all read models are at the end of the log."""

    def there() -> bool:
        ready = asked.answer("native", "/readyz").json()
        return ready["status"] == "ready" and not any(
            one["lag"] for one in ready["projections"].values()
        )

    eventually(there, f"the read models follow within {DEADLINE_S} s")


def test_the_past_is_told_as_it_was_told_then(asked: Asking, folder: Path) -> None:
    told = answers(folder)
    assert len(told) >= 6 * len(QUESTIONS)
    for line in told:
        dialect, path = line.pop("dialect"), line.pop("path")
        assert shown(asked.answer(dialect, path)) == line, path


def test_it_is_the_same_after_more_was_recorded(asked: Asking, folder: Path) -> None:
    """And the clock of the ledger is far beyond the moments that were asked about. Seen red where new jobs draw numbers that are taken."""
    client = asked.server.client_of("a")
    for nth in range(5):
        made = client.post("/v1/projects/a/jobs", json={"type": "VirtualServer", "owner": "bob"})
        assert made.status_code == 201, made.text
        if nth % 2:
            job = made.json()["id"]
            client.post(f"/v1/projects/a/jobs/{job}/events", json={"event": "queued"})
    follows(asked)
    test_the_past_is_told_as_it_was_told_then(asked, folder)


# How many topics there were when a version was released: what came later is in a later golden log.
TOPICS = {"log_1": 9}


def test_a_golden_log_has_every_event_of_its_time_in_it(folder: Path) -> None:
    text = (folder / "log.jsonl").read_text()
    assert sum(f'"{topic}"' in text for topic in EVENTS) == TOPICS[folder.name]
