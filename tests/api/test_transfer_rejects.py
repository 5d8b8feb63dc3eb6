"""What does not fit: rejects and their file, strict imports, names that are taken, and others who write meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.transfer.intake import Order, bring
from api.transfer.map import parse
from api.transfer.rejects import Rejects
from ledger import bulk, settings
from ledger.commands import Command, Write
from ledger.committer import Committer
from ledger.events import Created, Envelope, Noted
from tests.fix_transfer import (
    DAY,
    HEAD,
    HEADER,
    MAP,
    by_id,
    counted,
    imported,
    jobs,
    lines,
    outcome,
    text_file,
    write,
)


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


@pytest.mark.parametrize("names", ['source_id = "name"', 'id = "name"'])
@pytest.mark.parametrize("more", ["", f"{UUID(int=3)},x,{DAY},,,,lost\n"])
def test_strict_finds_out_before_it_takes_the_lock(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str, more: str
) -> None:
    """A file that is bad in itself, or only against what is there, must not make other writers wait."""

    sent = []

    async def too_soon(*asked: object) -> None:
        sent.append(asked)
        raise AssertionError

    map_text = MAP.replace('source_id = "name"', names)
    there = HEADER + f"{UUID(int=1)},x,{DAY},,,,new\n"
    imported(database, text_file(tmp_path, there), map_text)
    for name in ("append", "append_all"):
        monkeypatch.setattr(bulk, name, too_soon)
    text = f"{UUID(int=2)},x,{DAY},,,,new\n{more}{UUID(int=1)},y,{DAY},,,,new\n"
    file = text_file(tmp_path, HEADER + text)
    summary, rejects = imported(database, file, map_text, strict=True)
    lines = [3, 4] if more else [3]
    assert (summary.saved, [line for line, _ in rejects], sent) == (False, lines, [])


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
    assert rejects == [(2, "Its number 2 and its source_id a are those of different jobs.")]
    line = {"job": str(UUID(int=5)), "event": "created", "type": "x", "owner": "y", "number": 2}
    _, rejects = imported(database, text_file(tmp_path, lines(line), "x.ndjson"))
    assert rejects == [(1, "Another job has its number 2.")]


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

    async def disturbed(connection: Any, additions: Any, batch: Any) -> Any:
        if left[0]:
            left[0] -= 1
            async with Committer(database) as committer:
                await committer.commit(Write((Command(job_id, Noted(), Envelope("p", "ann")),)))
        return await append(connection, additions, batch)

    monkeypatch.setattr(bulk, "append", disturbed)
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},2024-01-02,,running\n")
    summary, rejects = imported(database, file, MAP)
    assert (outcome(summary), rejects) == ((0, 1, 0, 0), [])
    left[0] = settings.IMPORT_ATTEMPTS_MAX
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},{DAY},2024-01-02,2024-01-03,done\n")
    _, rejects = imported(database, file, MAP)
    assert rejects == [(2, "Other writers kept changing the job.")]


def test_all_writers_but_one_row_are_spared_what_postgresql_cannot_hold(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such row is known; one is made by breaking its bytes behind the encoder's back."""
    arranged = bulk.arranged

    def broken(*asked: Any) -> Any:
        return [one._replace(cells=one.cells.replace(b"Bad", b"B\0d")) for one in arranged(*asked)]

    monkeypatch.setattr(bulk, "arranged", broken)
    file = text_file(tmp_path, HEADER + f"a,x,{DAY},,,,new\nBad,x,{DAY},,,,new\nc,x,{DAY},,,,new\n")
    summary, rejects = imported(database, file, MAP)
    assert outcome(summary) == (2, 2, 0, 1)
    assert rejects[0][0] == 3
    assert "The database cannot store this" in rejects[0][1]


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
