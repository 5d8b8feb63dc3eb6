"""Batches of rows that are told at once, of rows that are not, and of what clashes: the log is the one that all of them told one by one would leave.

Seen red with a batch sent before what clashed in the one before it, and with numbers that were drawn for it and not given back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from api.transfer import feed
from api.transfer.columns import Columns, Plain
from api.transfer.lines import Row
from ledger import bulk, settings
from ledger.events import Created
from ledger.store import Connection
from tests.fix_transfer import (
    DAY,
    HEAD,
    HEADER,
    MAP,
    counted,
    imported,
    jobs,
    log,
    outcome,
    text_file,
)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a few blocks of a few rows."""
    monkeypatch.setattr(settings, "IMPORT_EVENTS_MAX", 24)
    monkeypatch.setattr(feed, "BLOCK_ROWS", 4)


@pytest.mark.usefixtures("small_batches")
def test_the_log_has_the_order_of_the_file_whatever_must_be_looked_at(
    database: str, tmp_path: Path
) -> None:
    """Rows told at once, rows told one by one in their midst, and rows that are there already, which only a batch that clashes tells."""
    imported(
        database, text_file(tmp_path, HEADER + f"r40,x,{DAY},,,,new\nr90,x,{DAY},,,,new\n"), MAP
    )
    kinds = {13: "\x00", 27: "k" * 600, 50: "", 66: "é"}
    rows = [f"r{nth},{kinds.get(nth, 'x')},{DAY},,,{DAY},done\n" for nth in range(100)]
    rows[75] = rows[72]
    file = text_file(tmp_path, HEADER + "".join(rows))
    summary, rejects = imported(database, file, MAP)
    assert outcome(summary) == (95, 2 * 2 + 95 * 3, 1, 2)
    assert [line for line, _ in rejects] == [15, 29]
    names = [one.event.source_id for one in log(database)[2:] if isinstance(one.event, Created)]
    numbers = [int((name or "").removeprefix("r")) for name in names]
    assert numbers == sorted(numbers)
    assert [job.type for job in jobs(database).values()].count("Job") == 1
    again, rejects = imported(database, file, MAP)
    assert (outcome(again)[:3], len(rejects)) == ((0, 0, 98), 2)
    assert counted(database, HEAD) == summary.counts.position == 2 + 2 * 2 + 95 * 3


@pytest.mark.usefixtures("small_batches")
def test_of_rows_that_disagree_the_first_counts(database: str, tmp_path: Path) -> None:
    """However far the other stands, and although a batch clashed between: a job that is there already makes it so."""
    imported(database, text_file(tmp_path, HEADER + f"r20,x,{DAY},,,,new\n"), MAP)
    rows = [f"r{nth},x,{DAY},,,,new\n" for nth in range(120)]
    for nth in (30, 44, 60):
        rows[nth] = f"r19,other,{DAY},,,,new\n"
    summary, rejects = imported(database, text_file(tmp_path, HEADER + "".join(rows)), MAP)
    assert outcome(summary) == (116, 116, 1, 3)
    reason = "The job exists with another history: it was created otherwise (type)."
    assert rejects == [(line, reason) for line in (32, 46, 62)]


@pytest.mark.usefixtures("small_batches")
def test_rows_are_told_at_once_unless_they_are_known_to_be_there(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be taken apart again is not put together; behind what is there, new rows are told at once as before."""
    told: list[int] = []
    plain = Columns.plain

    def counting(columns: Columns, rows: Sequence[Row]) -> Plain | None:
        told.append(len(rows))
        return plain(columns, rows)

    monkeypatch.setattr(Columns, "plain", counting)
    rows = [f"r{nth},x,{DAY},,,{DAY},done\n" for nth in range(400)]
    file = text_file(tmp_path, HEADER + "".join(rows[:200]))
    assert outcome(imported(database, file, MAP)[0]) == (200, 600, 0, 0)
    assert sum(told) == 200
    told.clear()
    assert outcome(imported(database, file, MAP)[0]) == (0, 0, 200, 0)
    assert sum(told) < 20
    told.clear()
    file = text_file(tmp_path, HEADER + "".join(rows))
    assert outcome(imported(database, file, MAP)[0]) == (200, 600, 200, 0)
    assert 150 < sum(told) < 220


def test_the_first_append_is_a_small_one_and_each_next_one_may_be_twice_as_large(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database has something to do as soon as a few rows are read, and reading keeps ahead of it."""
    monkeypatch.setattr(settings, "IMPORT_FIRST_EVENTS_MAX", 2)
    monkeypatch.setattr(settings, "IMPORT_EVENTS_MAX", 10)
    monkeypatch.setattr(feed, "BLOCK_ROWS", 2)
    sizes: list[int] = []
    append_all = bulk.append_all

    async def counting(connection: Connection, batch: bulk.Batch) -> int | None:
        sizes.append(batch[0].length)
        return await append_all(connection, batch)

    monkeypatch.setattr(bulk, "append_all", counting)
    rows = [f"r{nth},x,{DAY},,,,new\n" for nth in range(30)]
    imported(database, text_file(tmp_path, HEADER + "".join(rows)), MAP)
    assert sizes == [2, 4, 8, 10, 6]


def test_an_empty_ledger_is_not_asked_for_jobs(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has none. One that has some is asked."""
    asked: list[int] = []
    holders = bulk.holders

    async def counting(
        connection: Connection, told: Iterable[bulk.Named]
    ) -> dict[tuple[str, str, str], UUID]:
        some = list(told)
        asked.append(sum(len(one.names) for one in some))
        return await holders(connection, some)

    monkeypatch.setattr(bulk, "holders", counting)
    for name, found in (("r", []), ("s", [5])):
        rows = [f"{name}{nth},x,{DAY},,,,new\n" for nth in range(5)]
        summary, _ = imported(database, text_file(tmp_path, HEADER + "".join(rows)), MAP)
        assert outcome(summary) == (5, 5, 0, 0)
        assert asked == found
