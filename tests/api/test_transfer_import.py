"""Tables and transitions into a real log: once, twice, strictly, beside others, and with rows that do not fit."""

from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

from api.transfer import importer, intake
from api.transfer.form import NeedsMap
from api.transfer.held import Held
from api.transfer.intake import Order, bring
from api.transfer.map import BadMap, parse
from api.transfer.rejects import Rejects
from ledger import bulk, settings
from ledger.commands import Command, Write
from ledger.committer import Committer
from ledger.errors import Invalid
from ledger.events import Created, Envelope, Noted
from ledger.job import State
from tests.fix_gogrid import DETAIL, documented_job
from tests.fix_transfer import (
    HEADER,
    MAP,
    POD_MAP,
    by_id,
    counted,
    imported,
    jobs,
    log,
    pods,
    stays,
    text_file,
)

DAY = "2024-01-01"
HEAD = "SELECT position FROM ledger.head"
NUMBERS = "SELECT count(*) FROM ledger.identities WHERE kind = 'number'"


def outcome(summary: intake.Summary) -> tuple[int, int, int, int]:
    counts = summary.counts
    return counts.jobs, counts.events, counts.already, summary.rejected


def lines(*told: dict[str, Any]) -> str:
    return "".join(json.dumps(line) + "\n" for line in told)


def write(dsn: str, *commands: Command) -> None:
    async def commit() -> None:
        async with Committer(dsn) as committer:
            for command in commands:
                await committer.commit(Write((command,)))

    asyncio.run(commit())


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


def test_bad_rows_are_told_and_the_others_come_in(database: str, tmp_path: Path) -> None:
    text = (
        HEADER
        + f"a,x,{DAY},,,,new\nb,x,,,,,new\nc,x,{DAY},,,,lost\n\nd,x\ne,x,{DAY},,2023-01-01,,running\nf,x,{DAY},,,,done\n"
    )
    summary, rejects = imported(database, text_file(tmp_path, text), MAP)
    assert outcome(summary) == (2, 4, 0, 4)
    assert sorted(jobs(database)) == ["a", "f"]
    assert [line for line, _ in rejects] == [3, 4, 6, 7]


@pytest.mark.parametrize("name", ["rejects.csv", "rejects.ndjson"])
def test_the_rejects_file_has_line_reason_and_row(database: str, tmp_path: Path, name: str) -> None:
    text = (
        HEADER.encode()
        + f'a,x,{DAY},,,,new\n"b ""2""",x,,,,,new\nc,x,é,,,,new\n'.encode()
        + b"\xff,x,,,,,new\n"
    )
    with Rejects(tmp_path / name) as rejects:
        bring(database, Order(text_file(tmp_path, text), "p", parse(MAP), "me"), rejects)
    kept = (tmp_path / name).read_bytes()
    if name.endswith(".csv"):
        assert kept.decode("utf-8", "surrogateescape").splitlines() == [
            "line,reason,row",
            '''3,Column 'created' is empty: the row has no time of its creation.,"""b """"2"""""",x,,,,,new"''',
            """4,Column 'created': 'é' is no time of the form ISO 8601.,"c,x,é,,,,new\"""",
            """5,Column 'created' is empty: the row has no time of its creation.,"\udcff,x,,,,,new\"""",
        ]
    else:
        found = [json.loads(line) for line in kept.decode().splitlines()]
        assert [one["line"] for one in found] == [3, 4, 5]
        assert found[0]["row"] == '"b ""2""",x,,,,,new'
        assert found[2]["row"] == "\N{REPLACEMENT CHARACTER},x,,,,,new"


def test_no_rejects_no_file(database: str, tmp_path: Path) -> None:
    with Rejects(tmp_path / "rejects.csv") as rejects:
        bring(database, Order(text_file(tmp_path, HEADER), "p", parse(MAP), "me"), rejects)
    assert not (tmp_path / "rejects.csv").exists()


@pytest.mark.parametrize(
    "bad",
    [
        f"b,x,{DAY},,,,lost",
        f"b,x,{DAY},,2023-01-01,,running",
        f"a,other,{DAY},,,,new",
        f"there,other,{DAY},,,,new",
    ],
    ids=["bad word", "bad times", "twice in the file", "in the ledger otherwise"],
)  # fmt: skip
def test_strict_brings_in_all_or_nothing(database: str, tmp_path: Path, bad: str) -> None:
    imported(database, text_file(tmp_path, HEADER + f"there,x,{DAY},,,,new\n"), MAP)
    rows = "".join(f"r{nth},x,{DAY},,,,done\n" for nth in range(1_200))
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},,,,new\n{rows}{bad}\nz,x,{DAY},,,,new\n")
    summary, rejects = imported(database, file, MAP, strict=True)
    assert (outcome(summary), summary.saved) == ((0, 0, 0, 1), False)
    assert [line for line, _ in rejects] == [1_203]
    assert counted(database, HEAD) == 1
    assert sorted(jobs(database)) == ["there"]
    file.write_text(file.read_text().replace(bad + "\n", ""))
    summary, rejects = imported(database, file, MAP, strict=True)
    assert (outcome(summary), rejects, summary.saved) == ((1_202, 3_602, 0, 0), [], True)
    assert counted(database, HEAD) == 3_603


def test_strict_finds_out_before_it_takes_the_lock(database: str, tmp_path: Path) -> None:
    """A file that is bad in itself must not make anybody wait: here somebody holds the head all the while."""
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},,,,new\nb,x,{DAY},,,,lost\n")
    with psycopg.connect(database) as holder:
        holder.execute("SELECT position FROM ledger.head FOR UPDATE")
        summary, rejects = imported(database, file, MAP, strict=True)
    assert (summary.saved, [line for line, _ in rejects]) == (False, [3])


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


def test_what_happened_here_since_the_import_does_no_harm(database: str, tmp_path: Path) -> None:
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},,,waiting\n")
    imported(database, file, MAP)
    (job_id,) = by_id(database)
    write(database, Command(job_id, Noted(), Envelope("p", "ann", note="seen")))
    assert outcome(imported(database, file, MAP)[0]) == (0, 0, 1, 0)
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},2024-01-02,,running\n")
    assert outcome(imported(database, file, MAP)[0]) == (0, 1, 0, 0)


def test_an_id_of_another_project_is_not_told_of(database: str, tmp_path: Path) -> None:
    job_id = UUID(int=5)
    write(database, Command(job_id, Created(type="x", owner="y"), Envelope("other", "ann")))
    map_text = MAP.replace('source_id = "name"', 'id = "name"')
    file = text_file(tmp_path, HEADER + f"{job_id},x,{DAY},,,,new\n")
    _, rejects = imported(database, file, map_text)
    assert rejects == [(2, f"The id {job_id} is taken.")]
    line = lines({"job": str(job_id), "event": "queued"})
    _, rejects = imported(database, text_file(tmp_path, line, "x.ndjson"))
    assert rejects == [(1, f"The id {job_id} is taken.")]


def test_names_of_different_jobs_are_torn(database: str, tmp_path: Path) -> None:
    named = 'source_id = "name"\nnumber = "kind"'
    map_text = MAP.replace('source_id = "name"', named)
    map_text = map_text.replace('column = "kind", default = "Job"', 'value = "Job"')
    file = text_file(tmp_path, HEADER + f"a,1,{DAY},,,,new\nb,2,{DAY},,,,new\n")
    assert outcome(imported(database, file, map_text)[0])[0] == 2
    _, rejects = imported(database, text_file(tmp_path, HEADER + f"a,2,{DAY},,,,new\n"), map_text)
    assert rejects == [(2, "Its names belong to different jobs.")]


def test_a_number_of_ours_that_somebody_took_is_drawn_anew(database: str, tmp_path: Path) -> None:
    """Beyond 2^52 a given number does not move the sequence; here the sequence is put just before one."""
    taken = 2**52 + 3
    write(
        database,
        Command(UUID(int=5), Created(type="x", owner="y", number=taken), Envelope("p", "ann")),
    )
    counted(database, f"SELECT setval('ledger.job_numbers', {taken - 2})")
    file = text_file(tmp_path, HEADER + "".join(f"r{nth},x,{DAY},,,,new\n" for nth in range(4)))
    summary, rejects = imported(database, file, MAP)
    assert (outcome(summary), rejects) == ((4, 4, 0, 0), [])
    numbers = sorted(job.number for job in jobs(database).values())
    assert len(set(numbers)) == 5
    assert taken in numbers


def test_other_writers_between_the_look_and_the_append(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time the importer has looked, somebody else notes something on the job it is about to continue."""
    imported(database, text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},,,waiting\n"), MAP)
    (job_id,) = by_id(database)
    left = [2]
    append = bulk.append

    async def disturbed(connection: Any, units: int, batch: str) -> Any:
        if left[0]:
            left[0] -= 1
            async with Committer(database) as committer:
                await committer.commit(Write((Command(job_id, Noted(), Envelope("p", "ann")),)))
        return await append(connection, units, batch)

    monkeypatch.setattr(bulk, "append", disturbed)
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},2024-01-02,,running\n")
    summary, rejects = imported(database, file, MAP)
    assert (outcome(summary), rejects) == ((0, 1, 0, 0), [])
    left[0] = settings.IMPORT_ATTEMPTS_MAX
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},2024-01-02,2024-01-03,done\n")
    _, rejects = imported(database, file, MAP)
    assert rejects == [(2, "Other writers kept changing the job.")]


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


def test_all_writers_but_one_row_are_spared_what_postgresql_cannot_hold(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such row is known; one is made by breaking its bytes behind the encoder's back."""
    encode = bulk.encode

    def broken(additions: Any) -> str:
        text = encode(additions)
        return text.replace('"Bad"', '"\\u0000"') if '"Bad"' in text else text

    monkeypatch.setattr(bulk, "encode", broken)
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},,,,new\nBad,x,{DAY},,,,new\nc,x,{DAY},,,,new\n")
    summary, rejects = imported(database, file, MAP)
    assert outcome(summary) == (2, 2, 0, 1)
    assert rejects[0][0] == 3
    assert "The database cannot store this" in rejects[0][1]


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
    with pytest.raises(Invalid, match="say --project"):
        imported(database, text_file(tmp_path, HEADER), MAP, project=None)
    with pytest.raises(Invalid, match="The file is empty"):
        imported(database, text_file(tmp_path, ""), MAP)
    with pytest.raises(BadMap, match="the file has no column 'name'"):
        imported(database, text_file(tmp_path, "x\n1\n"), MAP)


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


def test_strict_transitions_are_all_or_nothing(database: str, tmp_path: Path) -> None:
    created = {"event": "created", "type": "x", "owner": "y"}
    good = [{"job": f"j{nth}", **created} for nth in range(20)]
    file = text_file(tmp_path, lines(*good, {"job": "j3", "event": "succeeded"}), "x.ndjson")
    summary, rejects = imported(database, file, strict=True)
    assert (outcome(summary), summary.saved) == ((0, 0, 0, 1), False)
    assert rejects == [(21, "A job that is Created cannot be succeeded.")]
    assert counted(database, HEAD) == 0
    file = text_file(tmp_path, lines(*good, {"job": "j3", "event": "queued"}), "x.ndjson")
    assert outcome(imported(database, file, strict=True)[0]) == (20, 21, 0, 0)


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


def test_the_importer_waits_for_nobody_it_need_not_wait_for(database: str) -> None:
    """Numbers that were drawn for jobs that were there already are used for the next ones."""

    async def numbers() -> list[int]:
        async with await AsyncConnection.connect(database, autocommit=True) as connection:
            one = importer.Importer(connection, connection, Rejects(None), Held(), begin=0)
            await one.draw(1)
            first = [one.new_number() for _ in range(settings.NUMBERS_AHEAD)]
            await one.draw(1)
            return [*first, one.new_number()]

    assert asyncio.run(numbers()) == list(range(1, settings.NUMBERS_AHEAD + 2))
