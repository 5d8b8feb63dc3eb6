"""Tables into a real log: once, twice, again when their source has gone on, and as they come."""

from __future__ import annotations

import io
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.transfer.form import NeedsMap
from api.transfer.intake import Order, bring
from api.transfer.lines import BadFile
from api.transfer.map import BadMap, parse
from api.transfer.rejects import Rejects
from ledger import settings
from ledger.commands import Command
from ledger.events import Envelope, Noted
from ledger.job import State
from tests.fix_transfer import (
    DAY,
    HEAD,
    HEADER,
    MAP,
    NUMBERS,
    POD_MAP,
    by_id,
    counted,
    imported,
    jobs,
    lines,
    log,
    outcome,
    pods,
    stays,
    text_file,
    write,
)


def test_a_trace_comes_in_whole_and_once(database: str, tmp_path: Path) -> None:
    made = pods(tmp_path / "pods.csv", 3_000)
    summary, rejects = imported(database, made.file, POD_MAP)
    assert (outcome(summary), rejects) == ((3_000, made.events, 0, 0), [])
    assert summary.counts.position == counted(database, HEAD) == made.events
    states = {
        "Running": State.PROCESSING,
        "Pending": State.QUEUED,
        "Succeeded": State.SUCCEEDED,
        "Failed": State.FAILED,
    }
    found = jobs(database)
    assert len(found) == 3_000
    for phase, expected in made.phases.items():
        assert sum(job.state is states[phase] for job in found.values()) == expected
    assert sorted(job.number for job in found.values()) == list(range(1, 3_001))
    again, rejects = imported(database, made.file, POD_MAP, actor="import:bob")
    assert (outcome(again), rejects) == ((0, 0, 3_000, 0), [])
    assert again.counts.position == counted(database, HEAD) == made.events
    assert counted(database, NUMBERS) == 3_000


def test_a_row_becomes_a_job_with_its_history(database: str, tmp_path: Path) -> None:
    row = "pod-1,12000,16384,1,1000,,LS,Failed,60,120,90\n"
    header = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
    imported(database, text_file(tmp_path, header + row), POD_MAP, project="cluster")
    (job,) = jobs(database).values()
    assert (job.project, job.type, job.owner, job.source_id) == (
        "cluster",
        "LS",
        "importer",
        "pod-1",
    )
    assert job.detail == {
        "cpu_milli": 12000,
        "memory_mib": 16384,
        "num_gpu": "1",
        "gpu_milli": "1000",
    }
    assert stays(job) == [
        ("Created", "2023-01-01T00:01:00Z", None),
        ("Queued", "2023-01-01T00:01:00Z", None),
        ("Processing", "2023-01-01T00:01:30Z", None),
        ("Failed", "2023-01-01T00:02:00Z", None),
    ]
    assert (job.kind, job.final, job.attempts, job.ended_by) == ("exception", True, 1, "import:ann")
    assert job.created_at == datetime(2023, 1, 1, 0, 1, tzinfo=UTC)
    recorded = log(database)
    assert all(one.envelope.imported and one.envelope.credential_id == "import" for one in recorded)
    assert job.id.version == 7


def test_memory_is_flat_in_the_size_of_the_file(database: str, tmp_path: Path) -> None:
    peaks = []
    for jobs_of_file in (4_000, 16_000):
        made = pods(tmp_path / "pods.csv", jobs_of_file, seed=jobs_of_file)
        tracemalloc.start()
        summary, _ = imported(database, made.file, POD_MAP)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert summary.counts.jobs == jobs_of_file
    assert (
        peaks[1] < 2 * peaks[0]
    )  # one batch more or less under way; kept rows would make it four times


def test_a_job_that_went_on_in_its_source_goes_on_here(database: str, tmp_path: Path) -> None:
    imported(
        database,
        text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},,,waiting\nb,x,{DAY},,{DAY},,running\n"),
        MAP,
    )
    file = text_file(
        tmp_path,
        HEADER + f"a,x,{DAY},{DAY},2024-01-02,2024-01-03,done\nb,x,{DAY},,{DAY},,running\n",
    )
    summary, rejects = imported(database, file, MAP)
    assert (outcome(summary), rejects) == ((0, 2, 1, 0), [])
    assert [state for state, _, _ in stays(jobs(database)["a"])] == [
        "Created",
        "Queued",
        "Processing",
        "Succeeded",
    ]
    summary, _ = imported(database, file, MAP)
    assert outcome(summary) == (0, 0, 2, 0)


def test_an_older_table_changes_nothing(database: str, tmp_path: Path) -> None:
    imported(database, text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},{DAY},{DAY},done\n"), MAP)
    summary, rejects = imported(
        database, text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},,,waiting\n"), MAP
    )
    assert (outcome(summary), rejects) == ((0, 0, 1, 0), [])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"a,y,{DAY},{DAY},{DAY},{DAY},done", "it was created otherwise (type)."),
        (f"a,x,2023-01-01,{DAY},{DAY},{DAY},done", "it was created otherwise (occurred_at)."),
        (f"a,x,{DAY},{DAY},2024-01-02,,running", "A job that is Succeeded, which is its end, cannot be started."),
        (f"a,x,{DAY},{DAY},{DAY},{DAY},broken", "A job that is Succeeded, which is its end, cannot be failed."),
        (f"a,x,{DAY},2024-01-02,2024-01-03,,running", "A job that is Succeeded, which is its end, cannot be queued."),
    ],
)  # fmt: skip
def test_a_job_with_another_history_is_a_reject(
    database: str, tmp_path: Path, row: str, reason: str
) -> None:
    imported(database, text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},{DAY},{DAY},done\n"), MAP)
    summary, rejects = imported(
        database, text_file(tmp_path, HEADER + row + f"\nb,x,{DAY},,,,new\n"), MAP
    )
    assert outcome(summary) == (1, 1, 0, 1)
    assert rejects == [(2, f"The job exists with another history: {reason}")]
    assert len(stays(jobs(database)["a"])) == 4


def test_rows_that_come_twice_in_a_file(database: str, tmp_path: Path) -> None:
    text = (
        HEADER
        + f"a,x,{DAY},,,,new\na,x,{DAY},,,,new\na,x,{DAY},,{DAY},,running\na,y,{DAY},,,,new\nb,x,{DAY},,,,new\n"
    )
    summary, rejects = imported(database, text_file(tmp_path, text), MAP)
    assert outcome(summary) == (2, 3, 1, 1)
    assert rejects == [(5, "The job exists with another history: it was created otherwise (type).")]
    assert jobs(database)["a"].state is State.PROCESSING


def test_rows_that_bring_no_number_get_one(database: str, tmp_path: Path) -> None:
    map_text = MAP.replace("[times]", 'number = "kind"\n[times]').replace(
        '{column = "kind", default = "Job"}', '{value = "Job"}'
    )
    rows = "".join(f"{name},{number},{DAY},,,,new\n" for name, number in NUMBERED)
    file = text_file(tmp_path, HEADER + rows)
    assert imported(database, file, map_text, strict=True)[0].counts.jobs == len(NUMBERED)
    numbers = {name: job.number for name, job in jobs(database).items()}
    assert len(set(numbers.values())) == len(NUMBERED)
    assert numbers.items() >= {(name, int(number)) for name, number in NUMBERED if number}
    assert outcome(imported(database, file, map_text)[0]) == (0, 0, len(NUMBERED), 0)


NUMBERED = (("a", "7"), ("b", ""), ("c", "1"), ("d", ""), ("e", "300"))


def test_what_happened_here_since_the_import_does_no_harm(database: str, tmp_path: Path) -> None:
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},,,waiting\n")
    imported(database, file, MAP)
    (job_id,) = by_id(database)
    write(database, Command(job_id, Noted(), Envelope("p", "ann", note="seen")))
    assert outcome(imported(database, file, MAP)[0]) == (0, 0, 1, 0)
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},2024-01-02,,running\n")
    assert outcome(imported(database, file, MAP)[0]) == (0, 1, 0, 0)


def test_standard_input(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO((HEADER + f"a,x,{DAY},,,,new\n").encode())

    monkeypatch.setattr("sys.stdin", Stdin)
    with Rejects(None) as rejects:
        summary = bring(database, Order(None, "p", parse(MAP), "me", strict=True), rejects)
    assert outcome(summary) == (1, 1, 0, 0)


def test_a_table_in_json_lines(database: str, tmp_path: Path) -> None:
    text = lines(
        {"name": "a", "created": DAY, "status": "new"},
        {
            "name": "b",
            "kind": None,
            "created": DAY,
            "queued": DAY,
            "started": DAY,
            "ended": DAY,
            "status": "done",
        },
    )
    summary, rejects = imported(database, text_file(tmp_path, text, "jobs.ndjson"), MAP)
    assert (outcome(summary), rejects) == ((2, 5, 0, 0), [])
    with pytest.raises(BadMap, match="the file has no column 'status'"):
        imported(database, text_file(tmp_path, lines({"name": "a", "created": DAY}), "x"), MAP)


def test_a_table_by_tabs(database: str, tmp_path: Path) -> None:
    text = (HEADER + f"a,x,{DAY},,,,new\n").replace(",", "\t")
    assert outcome(imported(database, text_file(tmp_path, text, "jobs.tsv"), MAP)[0]) == (
        1,
        1,
        0,
        0,
    )
    text = (HEADER + f"b,x,{DAY},,,,new\n").replace(",", ";")
    semicolons = 'delimiter = ";"\n' + MAP
    assert outcome(imported(database, text_file(tmp_path, text), semicolons)[0]) == (1, 1, 0, 0)


def test_what_needs_a_map_or_a_project_says_so(database: str, tmp_path: Path) -> None:
    with pytest.raises(NeedsMap, match="Its columns are 'name', 'kind'") as caught:
        imported(database, text_file(tmp_path, HEADER))
    assert "[status.values]" in caught.value.hint
    with pytest.raises(NeedsMap, match="Its columns are 'a'"):
        imported(database, text_file(tmp_path, '{"a": 1}\n'))
    with pytest.raises(BadFile, match="say --project"):
        imported(database, text_file(tmp_path, HEADER), MAP, project=None)
    with pytest.raises(BadFile, match="The file is empty"):
        imported(database, text_file(tmp_path, ""), MAP)
    with pytest.raises(BadMap, match="the file has no column 'name'"):
        imported(database, text_file(tmp_path, "x\n1\n"), MAP)


def test_a_second_import_does_not_use_up_the_numbers(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was drawn for jobs that turn out to be there is used for the next ones."""
    monkeypatch.setattr(settings, "IMPORT_EVENTS_MAX", 60)
    made = pods(tmp_path / "pods.csv", 600)
    imported(database, made.file, POD_MAP)
    drawn = counted(database, "SELECT last_value FROM ledger.job_numbers")
    assert drawn <= 600 + settings.NUMBERS_AHEAD
    assert outcome(imported(database, made.file, POD_MAP)[0]) == (0, 0, 600, 0)
    assert (
        counted(database, "SELECT last_value FROM ledger.job_numbers")
        <= drawn + settings.NUMBERS_AHEAD
    )
