"""One transition a line: of new jobs and of old ones, by any name, in order, and behind a line that is bad."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ledger import settings
from ledger.commands import Command
from ledger.events import Created, Envelope
from ledger.job import State
from tests.fix_gogrid import DETAIL, documented_job
from tests.fix_transfer import (
    DAY,
    by_id,
    imported,
    jobs,
    lines,
    log,
    outcome,
    text_file,
    write,
)


def gogrid_lines() -> str:
    """Job 60531 of GoGrid's documents as somebody would write its four transitions."""
    birth = {
        "type": "VirtualServer", "owner": "ankit@gogrid.com", "command": "CreateVirtualServer", "object": "test 2",
        "created_at": "2009-01-03T18:34:04.632Z", "detail": DETAIL,
    }  # fmt: skip
    return lines(
        {"job": 60531, "event": "job.created", "source_id": "10242", **birth},
        {"job": 60531, "event": "queued", "source_id": "10243"},
        {"job": 60531, "event": "started", "source_id": "10244"},
        {
            "job": 60531,
            "event": "succeeded",
            "source_id": "10251",
            "occurred_at": "2009-01-03T18:45:46.317Z",
        },
    )


def test_the_documented_job_comes_in_from_its_four_transitions(
    database: str, tmp_path: Path
) -> None:
    file = text_file(tmp_path, gogrid_lines(), "job.ndjson")
    summary, rejects = imported(database, file, project="demo")
    assert (outcome(summary), rejects) == ((1, 4, 0, 0), [])
    (job,) = jobs(database).values()
    expected = documented_job()
    for name in (
        "number",
        "type",
        "command",
        "object",
        "owner",
        "created_at",
        "updated_at",
        "state",
        "attempts",
        "detail",
    ):
        assert getattr(job, name) == getattr(expected, name), name
    assert list(job.detail or ()) == list(DETAIL)
    assert [(stay.source_id, stay.state, stay.at) for stay in job.history] == [
        (stay.source_id, stay.state, stay.at) for stay in expected.history
    ]
    assert [stay.at for stay in job.history[:3]] == [None] * 3
    assert job.source_id is None
    assert outcome(imported(database, file, project="demo")[0]) == (0, 0, 4, 0)


def test_transitions_are_of_jobs_by_any_name_and_keep_their_order(
    database: str, tmp_path: Path
) -> None:
    job_id = UUID(int=9)
    text = lines(
        {"job": "one", "event": "created", "type": "x", "owner": "y", "number": 7, "occurred_at": f"{DAY}T00:00:00Z"},
        {"job": str(job_id), "event": "created", "fields": {"type": "x", "owner": "y", "source_id": "two"}},
        {"job": 7, "event": "started", "actor": "worker", "note": "here"},
        {"job": "two", "event": "started", "request_id": "r1"},
        {"job": "one", "event": "progressed", "progress": 0.5},
        {"job": str(job_id), "event": "failed", "kind": "item_errors", "error_count": 2, "messages": [{"code": 1, "message": "m"}]},
        {"job": 7, "event": "succeeded"},
    )  # fmt: skip
    summary, rejects = imported(database, text_file(tmp_path, text, "x.ndjson"))
    assert (outcome(summary), rejects) == ((2, 7, 0, 0), [])
    found = jobs(database)
    assert (found["one"].number, found["one"].state, found["one"].progress) == (
        7,
        State.SUCCEEDED,
        1.0,
    )
    assert (found["two"].id, found["two"].state, found["two"].error_count) == (
        job_id,
        State.FAILED,
        2,
    )
    assert [one.topic.removeprefix("job.") for one in log(database)] == [
        *("created", "created", "started", "started", "progressed", "failed", "succeeded")
    ]
    assert found["one"].history[1].actor == "worker"
    assert found["one"].history[1].note == "here"
    assert found["two"].history[1].actor == "import:ann"
    assert log(database)[3].envelope.request_id == "r1"
    assert outcome(imported(database, text_file(tmp_path, text, "x.ndjson"))[0]) == (0, 0, 7, 0)


def test_transitions_of_jobs_that_are_here_already(database: str, tmp_path: Path) -> None:
    write(
        database,
        Command(UUID(int=5), Created(type="x", owner="y", source_id="a"), Envelope("p", "ann")),
    )
    text = lines(
        {"job": "a", "event": "queued"},
        {"job": "a", "event": "started"},
        {"job": "b", "event": "queued"},
    )
    summary, rejects = imported(database, text_file(tmp_path, text, "x.ndjson"))
    assert outcome(summary) == (0, 2, 0, 1)
    assert rejects == [
        (3, "No job of project 'p' has the source_id b, and no line above creates it.")
    ]
    assert jobs(database)["a"].state is State.PROCESSING


def test_behind_a_bad_line_its_job_waits_and_others_do_not(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "IMPORT_EVENTS_MAX", 5)
    created = {"event": "created", "type": "x", "owner": "y"}
    good = {"job": "a", "event": "started", "occurred_at": f"{DAY}T00:00:00Z"}
    told: list[dict[str, Any]] = [
        {"job": "a", **created},
        {"job": "b", **created},
        {"job": "c", **created},
        {"job": "a", "event": "queued"},
        {**good, "occurred_at": "yesterday"},
        {"job": "b", "event": "succeeded"},
        {"job": "a", "event": "succeeded"},
        {"job": "b", "event": "started"},
        {"job": "c", "event": "started"},
        {"job": "a", "event": "noted", "note": "x"},
        {"job": "c", "event": "succeeded"},
        {"event": "queued"},
        {"job": "c", "event": "exploded"},
    ]
    summary, rejects = imported(database, text_file(tmp_path, lines(*told), "x.ndjson"))
    assert outcome(summary) == (3, 6, 0, 7)
    waits = "Line {} of the same job was rejected, so what comes behind it waits for a mended file."
    assert rejects[0][1].startswith("occurred_at: Input should be a valid datetime")
    assert rejects[1:5] == [
        (6, "A job that is Created cannot be succeeded."),
        (7, waits.format(5)),
        (8, waits.format(6)),
        (10, waits.format(5)),
    ]
    assert rejects[5] == (12, "job: Field required.")
    assert rejects[6][1].startswith("'exploded' is no event; the events are job.created")
    states = {name: job.state for name, job in jobs(database).items()}
    assert states == {"a": State.QUEUED, "b": State.CREATED, "c": State.SUCCEEDED}
    told[4], told[5] = good, {"job": "b", "event": "queued"}
    summary, rejects = imported(database, text_file(tmp_path, lines(*told[:11]), "x.ndjson"))
    assert (outcome(summary), rejects) == ((0, 5, 6, 0), [])
    states = {name: job.state for name, job in jobs(database).items()}
    assert states == {"a": State.SUCCEEDED, "b": State.PROCESSING, "c": State.SUCCEEDED}


def test_lines_that_are_alike_are_each_an_event(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No times and no ids: what one window appended must not pass for what the next one tells."""
    monkeypatch.setattr(settings, "IMPORT_EVENTS_MAX", 2)
    attempt: list[dict[str, Any]] = [
        {"job": "a", "event": "started"},
        {"job": "a", "event": "failed", "final": False},
    ]
    told = [
        {"job": "a", "event": "created", "type": "x", "owner": "y"},
        *attempt,
        *attempt,
        *attempt,
    ]
    file = text_file(tmp_path, lines(*told), "x.ndjson")
    assert outcome(imported(database, file)[0]) == (1, 7, 0, 0)
    assert jobs(database)["a"].attempts == 3
    assert outcome(imported(database, file)[0]) == (0, 0, 7, 0)
    file = text_file(tmp_path, lines(*told, *attempt), "x.ndjson")
    assert outcome(imported(database, file)[0]) == (0, 2, 7, 0)
    assert jobs(database)["a"].attempts == 4


def test_a_job_named_in_two_ways_within_a_window(database: str, tmp_path: Path) -> None:
    job_id = UUID(int=5)
    write(
        database,
        Command(
            job_id, Created(type="x", owner="y", number=8, source_id="a"), Envelope("p", "ann")
        ),
    )
    text = lines(
        {"job": "a", "event": "queued"},
        {"job": 8, "event": "started"},
        {"job": str(job_id), "event": "succeeded"},
    )
    summary, rejects = imported(database, text_file(tmp_path, text, "x.ndjson"))
    assert (outcome(summary), rejects) == ((0, 3, 0, 0), [])
    assert jobs(database)["a"].state is State.SUCCEEDED


def test_a_line_says_its_project_when_nobody_else_does(database: str, tmp_path: Path) -> None:
    created = {"event": "created", "type": "x", "owner": "y"}
    text = lines(
        {"job": "a", "project": "one", **created},
        {"job": "a", "project": "two", **created},
        {"job": "b", **created},
    )
    summary, rejects = imported(database, text_file(tmp_path, text, "x.ndjson"), project=None)
    assert outcome(summary) == (2, 2, 0, 1)
    assert rejects == [(3, "The line names no project, and no --project was given.")]
    assert sorted(job.project for job in by_id(database).values()) == ["one", "two"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"job": "a", "event": "queued", "nots": "x"}, "nots: Extra inputs are not permitted."),
        ({"job": "a", "event": "progressed", "progress": 2}, "progress: Input should be less than or equal to 1."),
        ({"job": "a", "event": "created", "owner": "y"}, "type: Field required."),
        ({"job": 0, "event": "queued"}, "job: Input should be greater than or equal to 1."),
        ({"job": "a", "event": "queued", "occurred_at": "2024-01-01T00:00:00"}, "occurred_at: Input should have timezone info."),
        ({"job": 5, "event": "created", "type": "x", "owner": "y", "number": 6}, "The line names the job by number 5, but its fields say 6."),
        ({"job": "a", "event": "created", "type": "x", "owner": "y", "detail": {"a": "b" * 300_000}}, "The event takes"),
    ],
)  # fmt: skip
def test_lines_that_are_refused(
    database: str, tmp_path: Path, line: dict[str, Any], reason: str
) -> None:
    _, rejects = imported(database, text_file(tmp_path, lines(line), "x.ndjson"))
    assert len(rejects) == 1
    assert reason in rejects[0][1]


def test_followed_jobs_are_forgotten_without_harm(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "IMPORT_EVENTS_MAX", 7)
    monkeypatch.setattr(settings, "IMPORT_JOBS_FOLLOWED_MAX", 2)
    told = [
        {"job": f"j{nth}", "event": "created", "type": "x", "owner": "y", "source_id": f"c{nth}"}
        for nth in range(6)
    ]
    for turn, event in enumerate(("queued", "started", "progressed", "succeeded")):
        more: dict[str, Any] = {"progress": 0.5} if event == "progressed" else {}
        told += [
            {"job": f"j{nth}", "event": event, "source_id": f"{turn}-{nth}", **more}
            for nth in range(6)
        ]
    file = text_file(tmp_path, lines(*told), "x.ndjson")
    assert outcome(imported(database, file)[0]) == (6, 30, 0, 0)
    assert {job.state for job in jobs(database).values()} == {State.SUCCEEDED}
    assert outcome(imported(database, file)[0]) == (0, 0, 30, 0)
