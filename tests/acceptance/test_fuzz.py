"""./scripts/fuzz as its user runs it: over one dialect, shortly, against a server of its own."""

from __future__ import annotations

import json

import pytest

from scripts import fuzz


def test_a_clean_dialect(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["orange", "--examples", "1", "--seed", "7", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    [one] = told["dialects"]
    assert (told["seed"], told["crashes"], one["dialect"]) == (7, [], "orange")
    assert told["requests"] == one["requests"] == sum(one["statuses"].values()) > 100
    assert one["faults"] == one["errors"] == []
    assert told["events"] > 12
    assert told["nobodys"] == 0


@pytest.mark.parametrize("words", [["klingon"], ["--examples", "0"]])
def test_what_it_does_not_know(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        fuzz.main(words)
    assert ended.value.code == 2
    assert "fuzz: error:" in capsys.readouterr().err
