"""Each fault once, under load: what clients were told and what the log holds agree. `./scripts/faults` does it over and over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.run import Report, harm, said
from tests.faults.table import FAULTS

ANSWERS = 8  # requests over HTTP before each strike, at most


def assert_good(report: Report) -> None:
    print(said(report))
    assert report.findings == []
    assert report.counts["false refusals"] == 0
    assert report.counts["acknowledged over HTTP"] > 0


@pytest.mark.timeout(600)
def test_what_was_acknowledged_survives_every_fault(tmp_path: Path) -> None:
    faults = [fault for fault in FAULTS if not fault.small_disk]
    report = harm(tmp_path, faults, rounds=1, answers=ANSWERS)
    assert_good(report)
    assert report.rounds == len(faults)
    assert report.counts["tries without an answer"] > 0
    assert report.counts["replayed"] > 0


@pytest.mark.timeout(600)
def test_and_a_full_disk(tmp_path: Path) -> None:
    faults = [fault for fault in FAULTS if fault.small_disk]
    tmp_path.chmod(0o755)
    report = harm(tmp_path, faults, rounds=1, answers=ANSWERS)
    if report.skipped:
        pytest.skip(report.skipped)
    assert_good(report)
    assert report.counts["tries without an answer"] > 0
