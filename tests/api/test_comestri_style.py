"""What an operator chooses of Comestri's wording: where it is read, and what makes no sense."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, timedelta

import pytest
from pydantic import ValidationError

from api.dialects.comestri.style import Style, zone
from ledger.settings import Settings

TOLD = (
    "from api.dialects import DIALECTS; from datetime import UTC, datetime;"
    "one = next(one for one in DIALECTS if one.name == 'comestri');"
    "style = one.operations[0].tell.args[0];"
    "print(style.zone.utcoffset(None), style.canceled_result)"
)


@pytest.mark.parametrize(
    ("offset", "minutes"), [("+00:00", 0), ("+10:00", 600), ("-03:30", -210), ("+14:00", 840)]
)
def test_an_offset_is_a_zone(offset: str, minutes: int) -> None:
    assert zone(offset).utcoffset(None) == timedelta(minutes=minutes)
    assert Settings(comestri_utc_offset=offset).comestri_utc_offset == offset


@pytest.mark.parametrize("offset", ["", "10:00", "+1000", "+15:00", "+10:60", "Z", "+10:00\n"])
def test_another_offset_is_refused(offset: str) -> None:
    with pytest.raises(ValidationError):
        Settings(comestri_utc_offset=offset)


def test_by_default_times_are_in_utc_and_a_canceled_job_is_pending() -> None:
    assert Style() == Style(UTC, "Pending")
    chosen = Settings()
    assert (chosen.comestri_utc_offset, chosen.comestri_canceled_result) == ("+00:00", "Pending")
    with pytest.raises(ValidationError):
        Settings(comestri_canceled_result="Success")


def told(**variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", TOLD],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def test_the_dialect_is_made_from_the_settings() -> None:
    chosen = told(LEDGER_COMESTRI_UTC_OFFSET="+10:00", LEDGER_COMESTRI_CANCELED_RESULT="Failure")
    assert chosen.stdout.split() == ["10:00:00", "Failure"], chosen.stderr
    wrong = told(LEDGER_COMESTRI_UTC_OFFSET="noon")
    assert "Misconfigured" in wrong.stderr
    assert "LEDGER_COMESTRI_UTC_OFFSET" in wrong.stderr
