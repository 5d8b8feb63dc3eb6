"""What goes out comes in again: the log and the jobs, as NDJSON and CSV, with their ids, numbers, times and history."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pydantic_core
import pytest
from hypothesis import given

from api.dialects.native import view
from api.transfer import flat
from api.transfer.line import Reading
from api.transfer.lines import Bad, Row
from api.transfer.whole import Whole
from ledger import imported, settings
from ledger.events import Recorded
from ledger.imported import History
from ledger.job import Job, State, fold
from tests.fix_jobs import A, B, Ledger, play
from tests.fix_jobs import fold as fold_models
from tests.fix_transfer import by_id, exported, log
from tests.fix_transfer import imported as bring_in
from tests.histories import START, histories

FORMS = ("ndjson", "csv")
LATER = datetime(9000, 1, 1, tzinfo=UTC)


def played(dsn: str) -> Ledger:
    ledger = asyncio.run(play(dsn, jobs=40))
    fold_models(ledger)
    return ledger


def comparable(job: Job, form: str) -> Job:
    """A job less what is each ledger's own, and what a CSV cannot hold: an empty text is none there."""
    stays = [
        stay._replace(position=0, version=0, recorded_at=START, source_id=None)
        for stay in job.history
    ]
    if form == "csv":
        stays = [stay._replace(note=stay.note or None) for stay in stays]
        job = job._replace(description=job.description or None)
    return job._replace(position=0, version=0, history=tuple(stays))


def kept_ids(job: Job) -> list[str]:
    return [stay.source_id or str(stay.position) for stay in job.history]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", ["log", "jobs"])
def test_an_export_makes_the_same_jobs(
    database: str, other_database: str, tmp_path: Path, what: str, form: str
) -> None:
    ledger = played(database)
    file = tmp_path / "export"
    lines = exported(database, file, what, form)
    assert lines == len(ledger.log if what == "log" else ledger.jobs())
    summary, rejects = bring_in(other_database, file, project=None)
    assert (summary.counts.jobs, rejects) == (len(ledger.jobs()), [])
    ours, theirs = by_id(other_database), ledger.jobs()
    assert ours.keys() == theirs.keys()
    for job_id, job in theirs.items():
        assert comparable(ours[job_id], form) == comparable(job, form)
        assert [stay.source_id for stay in ours[job_id].history] == kept_ids(job)
    again, rejects = bring_in(other_database, file, project=None)
    assert (again.counts.events, again.counts.already, rejects) == (0, lines, [])


def test_an_imported_log_is_exported_as_it_came(
    database: str, other_database: str, tmp_path: Path
) -> None:
    """The second export differs from the first in what is each ledger's own; a third does not differ at all in anything else."""
    played(database)
    first, second = tmp_path / "first", tmp_path / "second"
    exported(database, first)
    bring_in(other_database, first, project=None)
    exported(other_database, second)
    pairs = zip(read(first), read(second), strict=True)
    for nth, (before, after) in enumerate(pairs, 1):
        assert before["position"] == after["position"] == nth
        best_known = before["occurred_at"] or (
            None if before["imported"] else before["recorded_at"]
        )
        assert after["occurred_at"] == best_known
        assert after["source_id"] == (before["source_id"] or str(before["position"]))
        assert (after["imported"], after["credential_id"]) == (True, "import")
        same = ("id", "job", "version", "project", "event", "actor", "request_id", "note")
        assert [before[name] for name in same] == [after[name] for name in same]
        if before["fields"].get("created_at") is None and best_known is None:
            before["fields"].pop("created_at", None)
            after["fields"].pop("created_at", None)
        assert list(before["fields"].items()) == list(after["fields"].items())


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]]


def test_its_own_log_tells_a_ledger_nothing_new(database: str, tmp_path: Path) -> None:
    ledger = played(database)
    file = tmp_path / "log.ndjson"
    exported(database, file)
    summary, rejects = bring_in(database, file, project=None)
    assert (summary.counts.events, summary.counts.already, rejects) == (0, len(ledger.log), [])


@pytest.mark.parametrize("what", ["log", "jobs"])
def test_of_one_project(database: str, other_database: str, tmp_path: Path, what: str) -> None:
    ledger = played(database)
    file = tmp_path / "export"
    exported(database, file, what, project=A)
    assert {line["project"] for line in read(file)} == {A}
    bring_in(other_database, file, project="elsewhere")
    assert {job.project for job in by_id(other_database).values()} == {"elsewhere"}
    assert by_id(other_database).keys() == {
        job.id for job in ledger.jobs().values() if job.project == A
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", ["log", "jobs"])
def test_the_same_ledger_gives_the_same_bytes(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, form: str
) -> None:
    played(database)
    files = []
    for page in (5, 1_000):
        monkeypatch.setattr(settings, "FEED_LIMIT_MAX", page)
        monkeypatch.setattr(settings, "PAGE_LIMIT_MAX", page)
        files.append(tmp_path / f"{page}")
        exported(database, files[-1], what, form)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].stat().st_size > 1_000


def test_jobs_go_out_by_project_and_number(database: str, tmp_path: Path) -> None:
    ledger = played(database)
    file = tmp_path / "jobs"
    exported(database, file, "jobs")
    found = [(line["project"], line["number"]) for line in read(file)]
    assert found == sorted((job.project, job.number) for job in ledger.jobs().values())
    assert {project for project, _ in found} == {A, B}


def test_an_empty_ledger(database: str, tmp_path: Path) -> None:
    for what, columns in (("log", flat.EVENT_COLUMNS), ("jobs", flat.JOB_COLUMNS)):
        assert exported(database, tmp_path / "x", what) == 0
        assert (tmp_path / "x").read_bytes() == b""
        exported(database, tmp_path / "x", what, "csv")
        assert (tmp_path / "x").read_text() == ",".join(columns) + "\n"
        summary, rejects = bring_in(database, tmp_path / "x", project=None)
        assert (summary.counts.jobs, rejects) == (0, [])


def test_what_is_appended_meanwhile_stays_out(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is where the log stood at the beginning, although pages read on behind it."""
    ledger = played(database)

    async def earlier(connection: Any) -> int:
        return len(ledger.log) - 3

    monkeypatch.setattr("ledger.store.head", earlier)
    assert exported(database, tmp_path / "log") == len(ledger.log) - 3


def told(one: Mapping[str, Any]) -> dict[str, Any]:
    read_back: dict[str, Any] = pydantic_core.from_json(pydantic_core.to_json(one))
    return read_back


@given(histories())
def test_a_line_reads_back_as_its_event(history: list[Recorded]) -> None:
    reading = Reading(project=None, actor="nobody")
    for one in history:
        transition = reading.transition(Row(7, "", told(view.event(one))))
        claim, envelope = transition.claim, transition.claim.envelope
        assert (transition.project, transition.name) == (one.project, ("id", str(one.job_id)))
        assert (claim.event_id, claim.at, claim.line) == (one.event_id, one.at, 7)
        expected = one.envelope._replace(
            credential_id="import", occurred_at=None, imported=True,
            source_id=one.envelope.source_id or str(one.position),
        )  # fmt: skip
        assert envelope == expected
        if one.topic == "job.created" and one.at is None and one.event.created_at is None:  # type: ignore[attr-defined]
            assert claim.event == one.event.model_copy(update={"created_at": one.recorded_at})
        else:
            assert claim.event == one.event


@given(histories(jobs_max=1))
def test_a_whole_job_leads_to_itself(history: list[Recorded]) -> None:
    job = fold(history)
    assert job is not None
    made = Whole(project=None).history(Row(1, "", told(view.job(job))))
    assert comparable(refolded(made), "ndjson") == comparable(job, "ndjson")


@given(histories(jobs_max=1))
def test_cells_are_what_they_were(history: list[Recorded]) -> None:
    job = fold(history)
    assert job is not None
    for columns, shown in (
        (flat.JOB_COLUMNS, view.job(job)),
        *((flat.EVENT_COLUMNS, view.event(one)) for one in history),
    ):
        cells = dict(zip(columns, flat.cells(columns, shown), strict=True))
        back = flat.objects({name: cell for name, cell in cells.items() if cell})
        assert back == present(told(shown))


def present(shown: Any) -> Any:
    """What a row can hold of an object: nothing is left of nulls, of empty texts, and of objects of nothing else."""
    found = {}
    for name, value in shown.items():
        kept = present(value) if name in ("items", "failure") and value is not None else value
        if kept not in (None, "", {}) or (name in flat.JSON_COLUMNS and kept is not None):
            found[name] = kept
    return found


def refolded(made: History) -> Job:
    decided = imported.decided(None, made, made.claims, LATER)
    assert decided.refused is None
    assert decided.job is not None
    return decided.job


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"attempts": 7}, "Its history leads to the attempts"),
        ({"state": "Canceled"}, "Its history leads to the state"),
        ({"history": []}, "history: Tuple should have at least 1 item"),
        ({"number": None}, "A new job needs a number."),
        ({"type": ""}, "type: String should have at least 1 character."),
    ],
)
def test_a_job_that_contradicts_itself_is_refused(
    database: str, change: dict[str, Any], reason: str
) -> None:
    job = next(one for one in played(database).jobs().values() if one.state is not State.CANCELED)
    with pytest.raises(Bad) as caught:
        Whole(project="p").history(Row(1, "", told(view.job(job) | change)))
    assert reason in str(caught.value)


def test_the_columns_are_those_of_the_api(database: str) -> None:
    ledger = played(database)
    assert tuple(view.event(ledger.log[0])) == flat.EVENT_COLUMNS
    shown = view.job(next(iter(ledger.jobs().values()))) | {
        "failure": {"kind": None, "final": None}
    }
    names: list[str] = []
    for name, value in shown.items():
        names += [f"{name}.{inner}" for inner in value] if name in ("failure", "items") else [name]
    assert tuple(names) == flat.JOB_COLUMNS


def test_a_csv_is_one_for_every_reader(database: str, tmp_path: Path) -> None:
    ledger = played(database)
    exported(database, tmp_path / "log.csv", "log", "csv")
    with (tmp_path / "log.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    numbers = count(1)
    assert [int(row["position"]) for row in rows] == [next(numbers) for _ in ledger.log]
    assert [json.loads(row["fields"]) for row in rows] == [
        told(view.event(one))["fields"] for one in ledger.log
    ]
    assert log(database) == list(ledger.log)
